#include "cli/kube/manifests.h"

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "cli/http.h"
#include "cli/kube/kubeconfig.h"
#include "cli/kube/kustomize.h"
#include "kernel/base/files.h"

namespace keelson::cli::kube {
namespace {

constexpr std::size_t kLongestFile = 256u << 20;

bool is_url(const std::string& source) {
    return source.starts_with("http://") || source.starts_with("https://");
}

Result<std::string> fetch(const std::string& url) {
    const std::size_t slash = url.find('/', url.find("://") + 3);
    Globals globals;
    globals.server = url.substr(0, slash);
    const auto connection = connection_of(Object::object(), globals);
    if (!connection) return pass_on(connection);
    const auto answer =
        exchange(connection->server, {.path = slash == std::string::npos ? "/" : url.substr(slash)}, {});
    if (!answer) return fail("unable to read URL \"" + url + "\": " + answer.error().text);
    if (answer->status != 200)
        return fail("unable to read URL \"" + url + "\", server reported " + std::to_string(answer->status) +
                    " " + answer->reason + ", status code=" + std::to_string(answer->status));
    return answer->body;
}

bool has_manifest_name(const std::filesystem::path& path) {
    const std::string extension = path.extension().string();
    return extension == ".json" || extension == ".yaml" || extension == ".yml";
}

template <typename Iterator>
std::vector<std::string> manifest_files(const std::string& directory) {
    std::vector<std::string> found;
    std::error_code code;
    for (Iterator at(directory, code), end; !code && at != end; at.increment(code))
        if (at->is_regular_file(code) && has_manifest_name(at->path())) found.push_back(at->path().string());
    std::sort(found.begin(), found.end());
    return found;
}

Result<std::vector<std::string>> files_of(const std::string& name, bool is_recursive) {
    std::error_code code;
    if (name == "-" || is_url(name)) return std::vector<std::string>{name};
    if (!std::filesystem::exists(name, code)) return fail("the path \"" + name + "\" does not exist");
    if (!std::filesystem::is_directory(name, code)) return std::vector<std::string>{name};
    auto found = is_recursive ? manifest_files<std::filesystem::recursive_directory_iterator>(name)
                              : manifest_files<std::filesystem::directory_iterator>(name);
    if (found.empty())
        return fail("error reading [" + name + "]: recognized file extensions are [.json .yaml .yml]");
    return found;
}

// Documents are parted by lines that begin with three dashes.
std::vector<std::string_view> split_documents(std::string_view text) {
    std::vector<std::string_view> documents;
    std::size_t begin = 0;
    std::size_t line = 0;
    while (line < text.size()) {
        const std::size_t end = std::min(text.find('\n', line), text.size());
        std::string_view content = text.substr(line, end - line);
        if (content.starts_with("---") && content.find_first_not_of("- \t\r") == std::string_view::npos) {
            documents.push_back(text.substr(begin, line - begin));
            begin = std::min(end + 1, text.size());
        }
        line = end + 1;
    }
    documents.push_back(text.substr(begin));
    return documents;
}

// Several JSON values may follow one another.
Result<std::vector<Object>> read_json(std::string_view text, const std::string& source) {
    std::vector<Object> objects;
    const std::string copy(text);
    std::size_t begin = copy.find_first_not_of(" \t\r\n");
    while (begin != std::string::npos) {
        int depth = 0;
        bool is_text = false;
        std::size_t at = begin;
        for (; at < copy.size(); ++at) {
            const char letter = copy[at];
            if (is_text) {
                if (letter == '\\') ++at;
                is_text = letter != '"';
            } else if (letter == '"') {
                is_text = true;
            } else if (letter == '{' || letter == '[') {
                ++depth;
            } else if ((letter == '}' || letter == ']') && --depth == 0) {
                break;
            }
        }
        Object object = Object::parse(copy.substr(begin, at + 1 - begin), nullptr, false);
        if (object.is_discarded()) return fail("error parsing " + source + ": it is no valid JSON");
        objects.push_back(std::move(object));
        begin = copy.find_first_not_of(" \t\r\n", at + 1);
    }
    return objects;
}

Result<void> add_object(Object object, const std::string& source, std::vector<Manifest>& manifests) {
    if (!object.is_object())
        return fail("unable to decode \"" + source + "\": it holds " + std::string(object.type_name()) +
                    " where an object is expected");
    const std::string kind = text_at(object, "kind");
    if (kind.empty())
        return fail("unable to decode \"" + source + "\": Object 'Kind' is missing in '" + compact(object) +
                    "'");
    if (text_at(object, "apiVersion").empty())
        return fail("unable to decode \"" + source + "\": Object 'apiVersion' is missing in '" +
                    compact(object) + "'");
    if (kind.ends_with("List") && member(object, "items").is_array()) {
        for (const Object& item : member(object, "items"))
            if (auto added = add_object(item, source, manifests); !added) return added;
        return {};
    }
    manifests.push_back({std::move(object), source == "-" ? "STDIN" : source});
    return {};
}

Result<void> read_text(const Result<std::string>& text, const std::string& source,
                       std::vector<Manifest>& manifests) {
    if (!text) return pass_on(text);
    auto objects = read_documents(*text, source == "-" ? "STDIN" : source);
    if (!objects) return pass_on(objects);
    for (Object& object : *objects)
        if (auto added = add_object(std::move(object), source, manifests); !added) return added;
    return {};
}

}  // namespace

void add_file_flags(Flags& flags, FileFlags& files) {
    flags.list("f,filename", files.filenames, "Files, directories or URLs with the objects; - is the input");
    flags.flag("R,recursive", files.is_recursive, "With directories: what lies below them too");
    flags.text("k,kustomize", files.kustomize,
               "The directory of a kustomization, which kustomize or kubectl builds");
}

Result<std::string> read_source(const std::string& source) {
    if (source == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
    if (is_url(source)) return fetch(source);
    auto text = base::read_file(source, kLongestFile);
    if (!text) return fail("error reading [" + source + "]: " + text.error().message());
    return std::move(*text);
}

Result<std::vector<Object>> read_documents(std::string_view text, const std::string& source) {
    const std::size_t first = text.find_first_not_of(" \t\r\n");
    // What only looks like JSON is YAML in braces.
    if (first != std::string_view::npos && text[first] == '{')
        if (auto objects = read_json(text, source)) return objects;
    std::vector<Object> objects;
    for (const std::string_view document : split_documents(text)) {
        if (document.find_first_not_of(" \t\r\n") == std::string_view::npos) continue;
        auto object = object_of_yaml(document, "error parsing " + source + ": error converting YAML to JSON");
        if (!object) return pass_on(object);
        if (!object->is_null()) objects.push_back(std::move(*object));
    }
    return objects;
}

Result<std::vector<Manifest>> read_manifests(const FileFlags& files, Failures& failures) {
    std::vector<Manifest> manifests;
    if (!files.kustomize.empty()) {
        if (!files.filenames.empty()) return fail("only one of -f or -k can be specified");
        if (const auto done = read_text(build_kustomization(files.kustomize), files.kustomize, manifests);
            !done)
            return pass_on(done);
    }
    for (const std::string& name : files.filenames) {
        const auto found = files_of(name, files.is_recursive);
        if (!found) return pass_on(found);
        for (const std::string& file : *found)
            if (const auto done = read_text(read_source(file), file, manifests); !done)
                failures.add(done.error());
    }
    return manifests;
}

}  // namespace keelson::cli::kube
