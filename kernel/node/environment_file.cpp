#include "kernel/node/environment_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "kernel/node/safe_files.h"

namespace keelson::node {
namespace {

using base::Reason;
using base::Result;
using base::Status;
using Found = std::optional<std::string>;

constexpr std::size_t kLongestFile = 64 << 10;
constexpr std::string_view kBlanks = " \t\r";

Status malformed(std::string_view line) {
    return {Reason::bad_request,
            "invalid environment variable file: want NAME='value', got: " + std::string(line.substr(0, 80))};
}

Result<std::string> read_text(int directory, const std::string& path) {
    // A pipe planted there must not block.
    KEELSON_TRY(const auto file, open_beneath(directory, path, O_RDONLY | O_NONBLOCK));
    struct stat info {};
    if (::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode))
        return Status(Reason::bad_request, "file \"" + path + "\" is not a regular file");
    if (info.st_size > static_cast<off_t>(kLongestFile))
        return Status(Reason::bad_request, "file \"" + path + "\" is longer than 64 KiB");
    std::string text(static_cast<std::size_t>(info.st_size), '\0');
    KEELSON_TRY_VOID(base::read_at(file.get(), text.data(), text.size(), 0, path));
    return text;
}

}  // namespace

Result<Found> find_in_environment_file(std::string_view text, std::string_view name) {
    Found found;
    while (!text.empty()) {
        const std::string_view line = text.substr(0, text.find('\n'));
        const std::size_t begin = line.find_first_not_of(kBlanks);
        if (begin == std::string_view::npos || line[begin] == '#') {
            text.remove_prefix(std::min(text.size(), line.size() + 1));
            continue;
        }
        const std::size_t equals = line.find('=', begin);
        if (equals == std::string_view::npos || text.substr(equals + 1, 1) != "'") return malformed(line);
        const std::size_t end = text.find('\'', equals + 2);
        if (end == std::string_view::npos) return malformed(line);
        if (line.substr(begin, equals - begin) == name)
            found = std::string(text.substr(equals + 2, end - equals - 2));
        text.remove_prefix(end + 1);
        const std::string_view rest = text.substr(0, text.find('\n'));
        const std::size_t after = rest.find_first_not_of(kBlanks);
        if (after != std::string_view::npos && rest[after] != '#') return malformed(line);
        text.remove_prefix(std::min(text.size(), rest.size() + 1));
    }
    return found;
}

Result<Found> variable_in_file(const std::string& directory, const std::string& path, const std::string& name,
                               bool is_optional) {
    KEELSON_TRY(const auto root, base::open_file(directory, O_PATH | O_DIRECTORY));
    const auto text = read_text(root.get(), path);
    if (!text) {
        if (is_optional && text.error().reason() == Reason::not_found) return Found();
        return text.error();
    }
    KEELSON_TRY(Found found, find_in_environment_file(*text, name));
    if (!found && !is_optional)
        return Status(Reason::bad_request,
                      "environment variable key \"" + name + "\" not found in file \"" + path + "\"");
    return found;
}

}  // namespace keelson::node
