#include "files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>

namespace keelson::oci {
namespace {

using Directory = std::unique_ptr<DIR, int (*)(DIR*)>;

bool is_dots(const char* name) {
    return std::strcmp(name, ".") == 0 || std::strcmp(name, "..") == 0;
}

// Removes a tree that a hostile party may have made, of any depth with few descriptors.
class TreeRemover {
  public:
    TreeRemover(int top, dev_t device) : top_(top), device_(device) {}

    // What is in the top directory. False with errno when something stays.
    bool empty_top() {
        do {
            has_moved_ = false;
            if (!remove_entries(top_, 0)) return false;
        } while (has_moved_);
        return true;
    }

  private:
    static constexpr int deepest = 64;

    bool remove_entries(int directory, int depth) {
        const Directory entries(::fdopendir(::fcntl(directory, F_DUPFD_CLOEXEC, 0)), ::closedir);
        if (!entries) return false;
        ::rewinddir(entries.get());
        bool good = true;
        int failure = 0;
        while (const dirent* entry = ::readdir(entries.get())) {
            if (is_dots(entry->d_name) || remove(directory, entry->d_name, depth)) continue;
            failure = errno;
            good = false;
        }
        errno = failure;
        return good;
    }

    bool remove(int parent, const char* name, int depth) {
        if (::unlinkat(parent, name, 0) == 0 || errno == ENOENT) return true;
        if (errno != EISDIR && errno != EPERM) return false;
        // Deeper ones come to the top, and their turn comes there.
        if (depth == deepest) {
            const std::string moved = ".removing-" + std::to_string(moved_++);
            has_moved_ = true;
            return ::renameat(parent, name, top_, moved.c_str()) == 0;
        }
        const Descriptor directory(::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        struct stat about {};
        if (!directory || ::fstat(directory.get(), &about) != 0) return false;
        if (about.st_dev != device_) {
            errno = EXDEV;
            return false;
        }
        return remove_entries(directory.get(), depth + 1) && ::unlinkat(parent, name, AT_REMOVEDIR) == 0;
    }

    const int top_;
    const dev_t device_;
    std::uint64_t moved_ = 0;
    bool has_moved_ = false;
};

}  // namespace

Error system_error(const std::string& doing, int error) {
    Code code = Code::internal;
    if (error == ENOSPC || error == EDQUOT || error == EMFILE || error == ENFILE || error == ENOMEM)
        code = Code::exhausted;
    return {code, doing + ": " + std::strerror(error)};
}

std::optional<std::string> read_file(int file, std::size_t most) {
    std::string text;
    char piece[16'384];
    for (;;) {
        const ssize_t got = ::read(file, piece, sizeof piece);
        if (got < 0 && errno == EINTR) continue;
        if (got == 0) return text;
        if (got < 0 || text.size() + std::size_t(got) > most) return std::nullopt;
        text.append(piece, std::size_t(got));
    }
}

std::optional<std::string> read_file(const std::string& path, std::size_t most) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
    if (!file) return std::nullopt;
    return read_file(file.get(), most);
}

void replace_file(const std::string& path, const std::string& text) {
    const std::string beside = path + ".new";
    const Descriptor file(
        ::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file) throw system_error("making " + beside);
    for (std::size_t done = 0; done < text.size();) {
        const ssize_t written = ::write(file.get(), text.data() + done, text.size() - done);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) throw system_error("writing " + beside);
        done += std::size_t(written);
    }
    if (::rename(beside.c_str(), path.c_str()) != 0) throw system_error("replacing " + path);
}

bool write_value(const std::string& path, const std::string& value) {
    const Descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    return file && ::write(file.get(), value.data(), value.size()) == ssize_t(value.size());
}

void make_directories(const std::string& path, unsigned mode) {
    const std::size_t slash = path.rfind('/');
    int made = ::mkdir(path.c_str(), mode);
    if (made != 0 && errno == ENOENT && slash != std::string::npos && slash > 0) {
        make_directories(path.substr(0, slash), mode);
        made = ::mkdir(path.c_str(), mode);
    }
    if (made != 0 && errno != EEXIST) throw system_error("making " + path);
    // Whatever the umask is.
    if (made == 0 && ::chmod(path.c_str(), mode) != 0) throw system_error("making " + path);
}

bool exists(const std::string& path) {
    return ::access(path.c_str(), F_OK) == 0;
}

std::string join(const std::string& directory, const std::string& name) {
    std::string path = directory;
    return path.append("/").append(name);
}

std::vector<std::string> list_directory(const std::string& path) {
    std::vector<std::string> names;
    const Directory directory(::opendir(path.c_str()), ::closedir);
    if (!directory) return names;
    while (const dirent* entry = ::readdir(directory.get()))
        if (!is_dots(entry->d_name)) names.emplace_back(entry->d_name);
    return names;
}

bool remove_tree(const std::string& path) {
    const Descriptor top(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!top) return errno == ENOENT || ::unlink(path.c_str()) == 0;
    struct stat about {};
    return ::fstat(top.get(), &about) == 0 && TreeRemover(top.get(), about.st_dev).empty_top() &&
           ::rmdir(path.c_str()) == 0;
}

}  // namespace keelson::oci
