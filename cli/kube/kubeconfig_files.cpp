#include "cli/kube/kubeconfig_files.h"

#include <algorithm>
#include <filesystem>

#include "cli/kube/kubeconfig.h"
#include "kernel/base/files.h"

namespace keelson::cli::kube {
namespace {

std::string singular(const std::string& list) {
    return list.substr(0, list.size() - 1);
}

bool holds(const Object& content, const std::string& list, const std::string& name) {
    const Object& entries = member(content, list);
    return entries.is_array() && std::any_of(entries.begin(), entries.end(), [&](const Object& entry) {
               return text_at(entry, "name") == name;
           });
}

}  // namespace

void sort_entries(Object& list) {
    if (!list.is_array()) return;
    std::stable_sort(list.begin(), list.end(), [](const Object& a, const Object& b) {
        return text_at(a, "name") < text_at(b, "name");
    });
}

Result<KubeconfigFiles> KubeconfigFiles::load(const Globals& globals) {
    KubeconfigFiles all;
    const KubeconfigPaths paths = kubeconfig_paths(globals);
    if (paths.paths.empty())
        return fail("there is no place for a kubeconfig: set HOME, or say --kubeconfig FILE");
    all.default_path_ = paths.paths.back();
    for (const std::string& path : paths.paths) {
        Object content = Object::object();
        if (base::exists(path)) {
            auto read = read_kubeconfig_file(path);
            if (!read) return pass_on(read);
            content = std::move(*read);
            const bool is_first = std::none_of(all.files_.begin(), all.files_.end(),
                                               [](const File& file) { return base::exists(file.path); });
            if (is_first) all.default_path_ = path;
        }
        all.files_.push_back({path, std::move(content)});
    }
    return all;
}

KubeconfigFiles::File& KubeconfigFiles::file_of(const std::string& list, const std::string& name) {
    for (File& file : files_)
        if (holds(file.content, list, name)) return file;
    return *std::find_if(files_.begin(), files_.end(),
                         [this](const File& file) { return file.path == default_path_; });
}

std::string KubeconfigFiles::path_of(const std::string& list, const std::string& name) const {
    for (const File& file : files_)
        if (holds(file.content, list, name)) return file.path;
    return default_path_;
}

bool KubeconfigFiles::has(const std::string& list, const std::string& name) const {
    return std::any_of(files_.begin(), files_.end(),
                       [&](const File& file) { return holds(file.content, list, name); });
}

Object& KubeconfigFiles::entry(const std::string& list, const std::string& name) {
    File& file = file_of(list, name);
    file.is_changed = true;
    Object& entries = file.content[list];
    if (!entries.is_array()) entries = Object::array();
    for (Object& one : entries)
        if (text_at(one, "name") == name) return one[singular(list)];
    // What kubectl writes even when it is not known.
    Object fresh = Object::object();
    if (list == "contexts") fresh = {{"cluster", ""}, {"user", ""}};
    if (list == "clusters") fresh = {{"server", ""}};
    entries.push_back({{"name", name}, {singular(list), fresh}});
    return entries.back()[singular(list)];
}

bool KubeconfigFiles::remove(const std::string& list, const std::string& name) {
    if (!has(list, name)) return false;
    File& file = file_of(list, name);
    file.is_changed = true;
    Object& entries = file.content[list];
    for (std::size_t i = entries.size(); i-- > 0;)
        if (text_at(entries[i], "name") == name) entries.erase(i);
    return true;
}

void KubeconfigFiles::rename_context(const std::string& from, const std::string& to) {
    File& file = file_of("contexts", from);
    file.is_changed = true;
    for (Object& one : file.content["contexts"])
        if (text_at(one, "name") == from) one["name"] = to;
    if (current_context() == from) set_current_context(to);
}

std::string KubeconfigFiles::current_context() const {
    for (const File& file : files_)
        if (!text_at(file.content, "current-context").empty())
            return text_at(file.content, "current-context");
    return "";
}

void KubeconfigFiles::set_current_context(const std::string& name) {
    File* chosen = nullptr;
    for (File& file : files_) {
        if (!text_at(file.content, "current-context").empty()) {
            chosen = &file;
            break;
        }
        if (file.path == default_path_ && chosen == nullptr) chosen = &file;
    }
    chosen->content["current-context"] = name;
    chosen->is_changed = true;
}

Result<void> KubeconfigFiles::save() {
    for (File& file : files_) {
        if (!file.is_changed) continue;
        for (const char* list : {"clusters", "contexts", "users"}) {
            Object& entries = file.content[list];
            sort_entries(entries);
            if (entries.empty()) entries = nullptr;
        }
        if (!file.content.contains("preferences")) file.content["preferences"] = Object::object();
        if (!file.content.contains("current-context")) file.content["current-context"] = "";
        file.content["apiVersion"] = "v1";
        file.content["kind"] = "Config";
        std::error_code code;
        // A link stays one.
        const std::filesystem::path real = std::filesystem::weakly_canonical(file.path, code);
        const std::string path = code ? file.path : real.string();
        if (const auto made = base::make_directory(base::directory_of(path)); !made)
            return fail(made.error().message());
        if (const auto written = base::write_file_atomic(path, yaml_of(file.content)); !written)
            return fail(written.error().message());
    }
    return {};
}

}  // namespace keelson::cli::kube
