#include "clone_tree.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "files.h"

namespace keelson::oci {
namespace {

constexpr std::size_t maximum_names_bytes = 65536;

void copy_extended(int source, int target) {
    std::string names(maximum_names_bytes, '\0');
    const ssize_t size = ::flistxattr(source, names.data(), names.size());
    if (size < 0) throw_errno("cannot read the attributes of a layer's directory");
    std::string value(maximum_names_bytes, '\0');
    for (const char* name = names.data(); name < names.data() + size; name += std::strlen(name) + 1) {
        const ssize_t length = ::fgetxattr(source, name, value.data(), value.size());
        if (length < 0 || ::fsetxattr(target, name, value.data(), std::size_t(length), 0) != 0)
            throw_errno("cannot copy the attributes of a layer's directory");
    }
}

void clone_directory(int source, int target_parent, const std::string& name) {
    if (::mkdirat(target_parent, name.c_str(), 0700) != 0) throw_errno("cannot copy a layer");
    const Descriptor target = open_directory(target_parent, name);
    clone_tree(source, target.get());
}

}  // namespace

void clone_tree(int source, int target) {
    for (const std::string& name : list_directory(source)) {
        struct stat status {};
        if (::fstatat(source, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
            throw_errno("cannot copy a layer");
        if (S_ISDIR(status.st_mode)) {
            clone_directory(open_directory(source, name).get(), target, name);
        } else if (::linkat(source, name.c_str(), target, name.c_str(), 0) != 0) {
            throw_errno("cannot copy a layer");
        }
    }
    struct stat status {};
    if (::fstat(source, &status) != 0) throw_errno("cannot copy a layer");
    if (::fchown(target, status.st_uid, status.st_gid) != 0 || ::fchmod(target, status.st_mode & 07777U) != 0)
        throw_errno("cannot copy a layer");
    copy_extended(source, target);
    const timespec times[2] = {status.st_mtim, status.st_mtim};
    if (::futimens(target, times) != 0) throw_errno("cannot copy a layer");
}

}  // namespace keelson::oci
