#include "kernel/daemon/data_directory.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>

namespace keelson::daemon {
namespace {

using base::Reason;
using base::Result;
using base::Status;

constexpr std::string_view marker_name = "keelson.data";
constexpr std::string_view marker_prefix = "keelson data directory, format ";
constexpr int format = 1;

Status refusal(const std::string& path, const std::string& why) {
    return {Reason::bad_request, "data directory " + path + " " + why};
}

Result<bool> is_empty(const std::string& path) {
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), ::closedir);
    if (!directory)
        return refusal(path, std::string("cannot be read (") + std::strerror(errno) + "); run as its owner");
    while (const dirent* entry = ::readdir(directory.get())) {
        const std::string_view name = entry->d_name;
        // A first start that was killed while it wrote the marker leaves its temporary file.
        const bool unfinished_marker =
            name != marker_name && name.find(marker_name) != std::string_view::npos;
        if (name != "." && name != ".." && !unfinished_marker) return false;
    }
    return true;
}

Result<void> check_marker(const std::string& path, const std::string& marker) {
    const auto text = base::read_file(marker, 4096);
    if (!text) return refusal(path, "cannot be read (" + text.error().message() + "); run as its owner");
    if (!text->starts_with(marker_prefix))
        return refusal(
            path, "has a " + std::string(marker_name) + " that is not Keelson's; choose another directory");
    const int found = std::atoi(text->c_str() + marker_prefix.size());
    if (found != format)
        return refusal(path, "was written by another version (format " + std::to_string(found) +
                                 ", this one reads " + std::to_string(format) + "); use that version");
    return base::ok();
}

// Whether the directory is there; fails when what is there is not acceptable.
Result<bool> check_existing(const std::string& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) {
        if (errno == ENOENT) return false;
        return refusal(path, std::string("cannot be reached: ") + std::strerror(errno));
    }
    if (!S_ISDIR(info.st_mode)) return refusal(path, "is not a directory; choose another path");
    KEELSON_TRY(const bool empty, is_empty(path));
    if (info.st_uid != ::geteuid())
        return refusal(path,
                       "belongs to user " + std::to_string(info.st_uid) + "; run as that user or chown it");
    if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return refusal(path, "can be written by others; run: chmod go-w " + path);
    if (empty) return true;
    const std::string marker = path + "/" + std::string(marker_name);
    if (!base::exists(marker))
        return refusal(path, "holds files that are not Keelson's; choose an empty directory");
    KEELSON_TRY_VOID(check_marker(path, marker));
    return true;
}

}  // namespace

Result<DataDirectory> DataDirectory::enter(const std::string& path) {
    KEELSON_TRY(const bool there, check_existing(path));
    if (!there) {
        if (auto made = base::make_directory(path, 0700); !made)
            return refusal(path, "cannot be made: " + made.error().message());
    }
    // The marker comes before the lock: a start that was cut short in between still leaves a directory that
    // is ours.
    const std::string marker = path + "/" + std::string(marker_name);
    if (!base::exists(marker)) {
        const std::string text = std::string(marker_prefix) + std::to_string(format) + "\n";
        if (auto written = base::write_file_atomic(marker, text); !written)
            return refusal(path, "cannot be written: " + written.error().message());
    }
    auto lock = base::FileLock::acquire(path + "/lock");
    if (!lock) {
        if (lock.error().reason() == Reason::already_exists)
            return refusal(
                path, "is in use: " + lock.error().message() + "; stop that one or choose another directory");
        return refusal(path, "cannot be locked: " + lock.error().message());
    }
    return DataDirectory(path, std::move(*lock));
}

}  // namespace keelson::daemon
