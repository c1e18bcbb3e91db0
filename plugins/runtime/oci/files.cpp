#include "files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <memory>

namespace keelson::oci {
namespace {

using Directory = std::unique_ptr<DIR, int (*)(DIR*)>;

constexpr int deepest_tree = 4096;  // as deep as a path can be

bool is_dots(const char* name) {
    return std::strcmp(name, ".") == 0 || std::strcmp(name, "..") == 0;
}

bool remove_below(int parent, const char* name, dev_t device, int depth) {
    if (::unlinkat(parent, name, 0) == 0 || errno == ENOENT) return true;
    if (errno != EISDIR && errno != EPERM) return false;
    const int opened = ::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (opened < 0) return false;
    struct stat about {};
    const bool is_ours = ::fstat(opened, &about) == 0 && about.st_dev == device && depth < deepest_tree;
    const Directory directory(::fdopendir(opened), ::closedir);
    if (!directory) ::close(opened);
    if (!is_ours || !directory) {
        errno = is_ours ? ENOMEM : EXDEV;
        return false;
    }
    bool good = true;
    while (const dirent* entry = ::readdir(directory.get()))
        if (!is_dots(entry->d_name)) good = remove_below(opened, entry->d_name, device, depth + 1) && good;
    return good && ::unlinkat(parent, name, AT_REMOVEDIR) == 0;
}

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

std::vector<std::string> list_directory(const std::string& path) {
    std::vector<std::string> names;
    const Directory directory(::opendir(path.c_str()), ::closedir);
    if (!directory) return names;
    while (const dirent* entry = ::readdir(directory.get()))
        if (!is_dots(entry->d_name)) names.emplace_back(entry->d_name);
    return names;
}

bool remove_tree(const std::string& path) {
    struct stat about {};
    if (::lstat(path.c_str(), &about) != 0) return errno == ENOENT;
    return remove_below(AT_FDCWD, path.c_str(), about.st_dev, 0);
}

}  // namespace keelson::oci
