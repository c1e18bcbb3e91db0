#include "scratch.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

namespace keelson::check {
namespace {

// Removing a tree with a bind mount in it would empty what is mounted there.
bool has_mount_below(const std::string& path) {
    std::ifstream mounts("/proc/self/mountinfo");
    for (std::string line; std::getline(mounts, line);) {
        std::istringstream fields(line);
        std::string unused;
        std::string target;
        fields >> unused >> unused >> unused >> unused >> target;
        if (target.starts_with(path + "/") || target == path) return true;
    }
    return false;
}

}  // namespace

Scratch::Scratch() {
    std::error_code error;
    path_ = (std::filesystem::temp_directory_path(error) / "keelson-check-XXXXXX").string();
    if (::mkdtemp(path_.data()) == nullptr) {
        throw std::system_error(errno, std::generic_category(), "making " + path_);
    }
    path_ = std::filesystem::canonical(path_, error).string();
}

Scratch::~Scratch() {
    if (has_mount_below(path_)) {
        std::fprintf(stderr, "keelson-plugin-check: the plugin has left mounts below %s; it stays\n",
                     path_.c_str());
        return;
    }
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

std::string Scratch::make_directory(std::string_view name) const {
    std::string path = path_ + "/" + std::string(name);
    ::mkdir(path.c_str(), 0700);
    return path;
}

}  // namespace keelson::check
