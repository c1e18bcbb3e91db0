#include "tree_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

#include "files.h"
#include "keelson/error.hpp"

namespace keelson::oci {
namespace {

constexpr std::string_view whiteout_prefix = ".wh.";
constexpr std::string_view opaque_marker = ".wh..wh..opq";
constexpr std::string_view aufs_prefix = ".wh..wh.";
constexpr const char* opaque_attribute = "trusted.overlay.opaque";
constexpr std::size_t maximum_path_size = 4095;
constexpr std::size_t maximum_name_size = 255;

[[noreturn]] void refuse(const std::string& path, const std::string& reason) {
    throw Error(Code::invalid, "a layer is refused: its entry \"" + path.substr(0, 300) + "\" " + reason);
}

// What the layer itself is to blame for is told apart from what this machine is.
[[noreturn]] void fail(const std::string& path, const std::string& doing) {
    switch (errno) {
        case ELOOP:
        case EXDEV:
            refuse(path, "leads through a symbolic link");
        case ENOTDIR:
            refuse(path, "is below something that is no directory");
        case ENAMETOOLONG:
            refuse(path, "is too long");
        case EMLINK:
            refuse(path, "has too many links");
        default:
            throw_errno("cannot " + doing + " \"" + path.substr(0, 300) + "\" of a layer");
    }
}

std::vector<std::string_view> components_of(const std::string& path, const Limits& limits) {
    if (path.size() > maximum_path_size) refuse(path, "is too long");
    std::vector<std::string_view> components;
    std::string_view rest = path;
    while (!rest.empty()) {
        const std::size_t slash = std::min(rest.find('/'), rest.size());
        const std::string_view component = rest.substr(0, slash);
        rest.remove_prefix(std::min(slash + 1, rest.size()));
        if (component.empty() || component == ".") continue;
        if (component == "..") refuse(path, "has \"..\" in it");
        if (component.size() > maximum_name_size) refuse(path, "has a part that is longer than 255 bytes");
        components.push_back(component);
        if (components.size() > limits.path_depth) refuse(path, "is too deep");
    }
    return components;
}

std::string join(const std::vector<std::string_view>& components, std::size_t count) {
    std::string path;
    for (std::size_t index = 0; index < count; ++index) {
        if (index > 0) path += '/';
        path += components[index];
    }
    return path;
}

void set_extended(int file, const Attributes& attributes) {
    for (const auto& [name, value] : attributes.extended)
        if (::fsetxattr(file, name.c_str(), value.data(), value.size(), 0) != 0)
            throw_errno("cannot set the attribute " + name + " of a layer's file");
}

// Ownership first: changing it takes setuid and capabilities away.
void set_attributes(int file, const Attributes& attributes) {
    if (::fchown(file, attributes.owner, attributes.group) != 0)
        throw_errno("cannot set the owner of a layer's file");
    if (::fchmod(file, attributes.mode & 07777U) != 0) throw_errno("cannot set the mode of a layer's file");
    set_extended(file, attributes);
}

void make_opaque(int directory) {
    if (::fsetxattr(directory, opaque_attribute, "y", 1, 0) != 0)
        throw_errno("cannot mark a directory of a layer as opaque");
}

// The path and what begins with it and "/", which sorts right before "0".
template <class Paths>
void forget_below(Paths& paths, const std::string& path) {
    paths.erase(path);
    paths.erase(paths.lower_bound(path + "/"), paths.lower_bound(path + "0"));
}

bool is_whiteout(const struct stat& status) {
    return S_ISCHR(status.st_mode) && status.st_rdev == makedev(0, 0);
}

}  // namespace

int TreeWriter::open_parent(const std::string& path) {
    if (cached_parent_ && cached_path_ == path) return cached_parent_.get();
    Descriptor parent(open_beneath(root_, path.empty() ? "." : path.c_str(), O_RDONLY | O_DIRECTORY));
    if (!parent && errno == ENOENT) parent = make_parents(path);
    if (!parent) fail(path, "open the directory");
    cached_parent_ = std::move(parent);
    cached_path_ = path;
    return cached_parent_.get();
}

Descriptor TreeWriter::make_parents(const std::string& path) {
    Descriptor directory(open_beneath(root_, ".", O_RDONLY | O_DIRECTORY));
    std::size_t start = 0;
    while (directory && start < path.size()) {
        const std::size_t end = std::min(path.find('/', start), path.size());
        const std::string name = path.substr(start, end - start);
        const bool is_new = ::mkdirat(directory.get(), name.c_str(), 0700) == 0;
        if (!is_new && errno != EEXIST) fail(path, "make the directory");
        directory = Descriptor(open_beneath(directory.get(), name.c_str(), O_RDONLY | O_DIRECTORY));
        if (is_new && directory) {
            ++inodes_;
            implicit_directories_.insert(path.substr(0, end));
            if (::fchmod(directory.get(), 0755) != 0) fail(path, "set the mode of");
        }
        start = end + 1;
    }
    return directory;
}

TreeWriter::Place TreeWriter::place_of(const std::string& path) {
    const auto components = components_of(path, limits_);
    if (components.empty()) return {};
    Place place;
    place.path = join(components, components.size());
    place.name = components.back();
    place.parent = open_parent(join(components, components.size() - 1));
    return place;
}

// Makes room for an entry that replaces what an earlier one put there.
void TreeWriter::clear(const Place& place) {
    if (place.name.empty()) refuse("/", "is not a directory");
    struct stat status {};
    if (::fstatat(place.parent, place.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT) return;
        fail(place.path, "look at");
    }
    remove_tree(place.parent, place.name);
    if (!S_ISDIR(status.st_mode)) return;
    forget_below(directory_times_, place.path);
    forget_below(implicit_directories_, place.path);
}

void TreeWriter::whiteout(const Place& place, const std::string& hidden) {
    if (hidden.empty() || hidden == "." || hidden == "..") refuse(place.path, "hides no name");
    struct stat status {};
    if (::fstatat(place.parent, hidden.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) {
        // It hides what is below, never what this layer brings itself.
        if (!S_ISDIR(status.st_mode)) return;
        const Descriptor directory(open_beneath(place.parent, hidden.c_str(), O_RDONLY | O_DIRECTORY));
        if (!directory) fail(place.path, "open");
        make_opaque(directory.get());
        return;
    }
    if (::mknodat(place.parent, hidden.c_str(), S_IFCHR, makedev(0, 0)) != 0)
        fail(place.path, "make the whiteout");
    ++inodes_;
}

bool TreeWriter::take_whiteout(const Place& place) {
    if (!place.name.starts_with(whiteout_prefix)) return false;
    if (place.name == opaque_marker) {
        make_opaque(place.parent);
    } else if (!place.name.starts_with(aufs_prefix)) {  // what aufs kept for itself is of no use
        whiteout(place, place.name.substr(whiteout_prefix.size()));
    }
    return true;
}

void TreeWriter::apply_root(const Attributes& attributes) {
    set_attributes(root_, attributes);
    directory_times_["."] = attributes.modified;
    implicit_directories_.erase(".");
}

void TreeWriter::directory(const std::string& path, const Attributes& attributes) {
    const Place place = place_of(path);
    if (place.name.empty()) return apply_root(attributes);
    if (place.name.starts_with(whiteout_prefix)) refuse(path, "is a directory that is named as a whiteout");
    struct stat status {};
    const bool is_there = ::fstatat(place.parent, place.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
    const bool is_kept = is_there && S_ISDIR(status.st_mode);
    if (is_there && !is_kept) clear(place);
    if (!is_kept) {
        if (::mkdirat(place.parent, place.name.c_str(), 0700) != 0) fail(place.path, "make the directory");
        ++inodes_;
    }
    const Descriptor made(open_beneath(place.parent, place.name.c_str(), O_RDONLY | O_DIRECTORY));
    if (!made) fail(place.path, "open the directory");
    if (is_there && is_whiteout(status)) make_opaque(made.get());
    set_attributes(made.get(), attributes);
    implicit_directories_.erase(place.path);
    directory_times_[place.path] = attributes.modified;
}

Descriptor TreeWriter::file(const std::string& path) {
    const Place place = place_of(path);
    if (take_whiteout(place)) return {};
    if (place.name.empty()) refuse(path, "is a file without a name");
    constexpr int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    Descriptor made(::openat(place.parent, place.name.c_str(), flags, 0600));
    if (!made && errno == EEXIST) {
        clear(place);
        made.reset(::openat(place.parent, place.name.c_str(), flags, 0600));
    }
    if (!made) fail(place.path, "create");
    ++inodes_;
    return made;
}

void TreeWriter::finish_file(const Descriptor& file, const Attributes& attributes) {
    set_attributes(file.get(), attributes);
    const timespec times[2] = {attributes.modified, attributes.modified};
    if (::futimens(file.get(), times) != 0) throw_errno("cannot set the time of a layer's file");
}

void TreeWriter::symbolic_link(const std::string& path, const std::string& target,
                               const Attributes& attributes) {
    const Place place = place_of(path);
    if (take_whiteout(place)) return;
    if (target.empty() || target.size() > maximum_path_size) refuse(path, "links to an impossible name");
    clear(place);
    if (::symlinkat(target.c_str(), place.parent, place.name.c_str()) != 0) fail(place.path, "make the link");
    ++inodes_;
    if (::fchownat(place.parent, place.name.c_str(), attributes.owner, attributes.group,
                   AT_SYMLINK_NOFOLLOW) != 0)
        fail(place.path, "set the owner of");
    const timespec times[2] = {attributes.modified, attributes.modified};
    if (::utimensat(place.parent, place.name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0)
        fail(place.path, "set the time of");
}

void TreeWriter::hard_link(const std::string& path, const std::string& target) {
    const auto components = components_of(target, limits_);
    if (components.empty()) refuse(path, "is a hard link to nothing");
    const std::string folder = join(components, components.size() - 1);
    const std::string name(components.back());
    const Descriptor source(
        open_beneath(root_, folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY));
    struct stat status {};
    if (!source || ::fstatat(source.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 ||
        S_ISDIR(status.st_mode))
        refuse(path,
               "is a hard link to \"" + target.substr(0, 300) + "\", which is no file of the same layer");
    const Place place = place_of(path);
    if (take_whiteout(place)) return;
    if (place.path == join(components, components.size())) return;
    clear(place);
    if (::linkat(source.get(), name.c_str(), place.parent, place.name.c_str(), 0) != 0) {
        if (errno == ENOENT) refuse(path, "is a hard link to what it replaces");
        fail(place.path, "link");
    }
}

void TreeWriter::node(const std::string& path, mode_t mode, dev_t device, const Attributes& attributes) {
    const Place place = place_of(path);
    if (take_whiteout(place)) return;
    clear(place);
    if (::mknodat(place.parent, place.name.c_str(), (mode & S_IFMT) | 0600U, device) != 0)
        fail(place.path, "make the device");
    ++inodes_;
    if (::fchownat(place.parent, place.name.c_str(), attributes.owner, attributes.group,
                   AT_SYMLINK_NOFOLLOW) != 0)
        fail(place.path, "set the owner of");
    if (::fchmodat(place.parent, place.name.c_str(), attributes.mode & 07777U, 0) != 0)
        fail(place.path, "set the mode of");
    const timespec times[2] = {attributes.modified, attributes.modified};
    if (::utimensat(place.parent, place.name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0)
        fail(place.path, "set the time of");
}

std::set<std::string> TreeWriter::finish() {
    for (const auto& [path, modified] : directory_times_) {
        const Descriptor directory(open_beneath(root_, path.c_str(), O_RDONLY | O_DIRECTORY));
        if (!directory) fail(path, "open the directory");
        const timespec times[2] = {modified, modified};
        if (::futimens(directory.get(), times) != 0) fail(path, "set the time of");
    }
    cached_parent_.reset();
    return std::move(implicit_directories_);
}

}  // namespace keelson::oci
