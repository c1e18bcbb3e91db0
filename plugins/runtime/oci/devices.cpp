#include "devices.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>

#include "files.h"

namespace keelson::oci {
namespace {

constexpr std::array<std::string_view, 6> not_devices = {"pts", "shm", "fd", "mqueue", "console", "net"};
constexpr std::size_t most_devices = 1000;

bool is_device(const struct stat& about) {
    return S_ISCHR(about.st_mode) || S_ISBLK(about.st_mode);
}

Json describe(const struct stat& about, const std::string& path) {
    return {{"path", path},
            {"type", S_ISCHR(about.st_mode) ? "c" : "b"},
            {"major", major(about.st_rdev)},
            {"minor", minor(about.st_rdev)},
            {"fileMode", about.st_mode & 07777},
            {"uid", about.st_uid},
            {"gid", about.st_gid}};
}

void add_all(const std::string& directory, Json& devices, int depth) {
    for (const std::string& name : list_directory(directory)) {
        struct stat about {};
        const std::string path = join(directory, name);
        if (std::ranges::find(not_devices, name) != not_devices.end() || devices.size() >= most_devices)
            continue;
        if (::lstat(path.c_str(), &about) != 0) continue;
        if (is_device(about)) devices.push_back(describe(about, path));
        if (S_ISDIR(about.st_mode) && depth < 4) add_all(path, devices, depth + 1);
    }
}

void add_one(const runtime::Device& wanted, Json& devices, Json& rules) {
    struct stat about {};
    if (::stat(wanted.host_path.c_str(), &about) != 0 || !is_device(about))
        throw Error(Code::invalid, wanted.host_path + " is no device of this machine", "devices");
    Json device = describe(about, wanted.path.empty() ? wanted.host_path : wanted.path);
    rules.push_back({{"allow", true},
                     {"type", device["type"]},
                     {"major", device["major"]},
                     {"minor", device["minor"]},
                     {"access", wanted.permissions.empty() ? "rwm" : wanted.permissions}});
    devices.push_back(std::move(device));
}

}  // namespace

void specify_devices(const runtime::CreateContainer& request, Json& part) {
    Json devices = Json::array();
    Json rules = Json::array({{{"allow", request.security.privileged}, {"access", "rwm"}}});
    if (request.security.privileged) add_all("/dev", devices, 0);
    for (const runtime::Device& device : request.devices) add_one(device, devices, rules);
    if (!devices.empty()) part["devices"] = std::move(devices);
    part["resources"]["devices"] = std::move(rules);
}

}  // namespace keelson::oci
