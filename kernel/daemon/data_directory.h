// The directory that holds everything keelsond knows. It is entered before anything else is done, and nothing
// in it is touched unless it is ours, well-formed and not in use.
#pragma once

#include <string>

#include "kernel/base/files.h"
#include "kernel/base/result.h"

namespace keelson::daemon {

class DataDirectory {
  public:
    // Makes the directory (0700) when it does not exist; marks and locks it. Refuses, saying what to do about
    // it: a path that is no directory, of another owner, writable by others, with files that are not ours,
    // written by a newer version, or used by a running process. Nothing is changed then.
    static base::Result<DataDirectory> enter(const std::string& path);

    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }

  private:
    DataDirectory(std::string path, base::FileLock lock) : path_(std::move(path)), lock_(std::move(lock)) {}
    std::string path_;
    base::FileLock lock_;
};

}  // namespace keelson::daemon
