#include "directories.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <optional>

#include "files.h"

namespace keelson::local {
namespace {

using oci::system_error;

constexpr const char* kMaking = ".making-";
constexpr const char* kRemoving = ".removing-";
constexpr std::size_t kLongestName = 128;

// One part of a path and none of ours.
bool is_name(const std::string& text) {
    const auto is_fine = [](char character) {
        return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') ||
               (character >= '0' && character <= '9') || character == '-' || character == '_' ||
               character == '.';
    };
    return !text.empty() && text.size() <= kLongestName && text.front() != '.' &&
           std::all_of(text.begin(), text.end(), is_fine);
}

Descriptor open_root(const std::string& path) {
    oci::make_directories(path);
    Descriptor root(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!root) throw system_error("opening " + path + ", which must be a directory and no link");
    struct stat about {};
    if (::fstat(root.get(), &about) != 0) throw system_error("looking at " + path);
    if (about.st_uid != ::geteuid() || (about.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        throw Error(Code::invalid,
                    path +
                        " must belong to the user of keelsond and must not be writable for others; "
                        "chown and chmod it, or name another directory",
                    "root");
    return root;
}

Descriptor open_in(const Descriptor& root, const std::string& name) {
    return Descriptor(::openat(root.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

std::string by_number(const Descriptor& file) {
    return "/proc/self/fd/" + std::to_string(file.get());
}

struct Place {
    dev_t device = 0;
    ino_t number = 0;
    bool operator==(const Place& other) const { return device == other.device && number == other.number; }
};

std::optional<Place> place_of(const Descriptor& file) {
    struct stat about {};
    if (::fstat(file.get(), &about) != 0) return std::nullopt;
    return Place{about.st_dev, about.st_ino};
}

Descriptor open_place(const std::string& path) {
    return Descriptor(::open(path.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

}  // namespace

Directories::Directories(std::string root) : path_(std::move(root)), root_(open_root(path_)) {
    for (const std::string& name : oci::list_directory(path_))
        if (name.rfind(kRemoving, 0) == 0) try_removal(name);
}

void Directories::make(const std::string& name) {
    if (!is_name(name))
        throw Error(Code::invalid, "names of volumes are letters, digits, '-', '_' and '.', at most 128",
                    "name");
    const std::lock_guard lock(changing_);
    if (open_in(root_, name)) return;
    const std::string beside = kMaking + name;
    if (::mkdirat(root_.get(), beside.c_str(), 0700) != 0 && errno != EEXIST)
        throw system_error("making " + oci::join(path_, beside));
    const Descriptor made = open_in(root_, beside);
    // Whoever a pod runs as may write to it; from outside nobody comes through the root.
    if (!made || ::fchmod(made.get(), 0777) != 0) throw system_error("making " + oci::join(path_, beside));
    if (::renameat2(root_.get(), beside.c_str(), root_.get(), name.c_str(), RENAME_NOREPLACE) != 0 ||
        ::fsync(root_.get()) != 0)
        throw system_error("making " + oci::join(path_, name));
}

void Directories::remove(const std::string& name) {
    if (!is_name(name)) return;  // none was ever made
    const std::lock_guard lock(changing_);
    const std::string moved = kRemoving + name;
    finish_removal(moved);
    // Out of sight first: half a volume is never shown to a pod.
    if (::renameat2(root_.get(), name.c_str(), root_.get(), moved.c_str(), RENAME_NOREPLACE) != 0) {
        if (errno == ENOENT) return;
        throw system_error("removing " + oci::join(path_, name));
    }
    finish_removal(moved);
    if (::fsync(root_.get()) != 0) throw system_error("removing " + oci::join(path_, name));
}

void Directories::try_removal(const std::string& moved) {
    try {
        finish_removal(moved);
    } catch (const Error&) {
        // Whoever asked for it is told when it is asked for again; others have their volumes.
    }
}

void Directories::finish_removal(const std::string& moved) {
    const std::string path = by_number(root_) + "/" + moved;
    if (!oci::remove_tree(path) && errno != ENOENT) throw system_error("removing " + oci::join(path_, moved));
}

Descriptor Directories::open(const std::string& name) const {
    Descriptor volume;
    if (is_name(name)) volume = open_in(root_, name);
    if (!volume) throw Error(Code::not_found, "there is no volume \"" + name + "\" in " + path_, "volumeId");
    return volume;
}

std::uint64_t Directories::available_bytes() const {
    struct statvfs about {};
    if (::fstatvfs(root_.get(), &about) != 0) throw system_error("looking at " + path_);
    return std::uint64_t(about.f_bavail) * about.f_frsize;
}

void show(const Descriptor& volume, const std::string& path, unsigned long flags) {
    if (::mkdir(path.c_str(), 0750) != 0 && errno != EEXIST) throw system_error("making " + path);
    Descriptor there = open_place(path);
    if (!there) throw system_error("opening " + path);
    if (place_of(there) != place_of(volume)) {
        if (::mount(by_number(volume).c_str(), by_number(there).c_str(), nullptr, MS_BIND, nullptr) != 0)
            throw system_error("mounting at " + path);
        there = open_place(path);
        if (!there || place_of(there) != place_of(volume))
            throw Error(Code::unavailable, "something else is mounted at " + path);
    }
    if (flags != 0 &&
        ::mount(nullptr, by_number(there).c_str(), nullptr, MS_REMOUNT | MS_BIND | flags, nullptr) != 0)
        throw system_error("mounting at " + path);
}

void hide(const std::string& path) {
    constexpr int kMostMounts = 64;
    for (int count = 0; count < kMostMounts; ++count)
        if (::umount2(path.c_str(), UMOUNT_NOFOLLOW | MNT_DETACH) != 0) break;
    if (errno != EINVAL && errno != ENOENT) throw system_error("unmounting " + path);
    if (::rmdir(path.c_str()) != 0 && errno != ENOENT) throw system_error("removing " + path);
}

}  // namespace keelson::local
