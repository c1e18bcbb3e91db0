#include "records.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace keelson::bridge {
namespace {

constexpr std::size_t maximum_file_bytes = std::size_t(64) << 20;

[[noreturn]] void fail(const std::string& path, const char* doing) {
    const Code code = errno == ENOSPC || errno == EDQUOT ? Code::exhausted : Code::internal;
    throw Error(code, std::string("cannot ") + doing + " " + path + ": " + std::strerror(errno));
}

std::string read_all(int file, const std::string& path) {
    std::string text;
    char buffer[16384];
    for (;;) {
        const ssize_t count = ::read(file, buffer, sizeof buffer);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) fail(path, "read");
        if (count == 0) return text;
        text.append(buffer, std::size_t(count));
        if (text.size() > maximum_file_bytes) throw Error(Code::invalid, path + " is too large");
    }
}

void write_all(int file, std::string_view text, const std::string& path) {
    while (!text.empty()) {
        const ssize_t count = ::write(file, text.data(), text.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) fail(path, "write");
        text.remove_prefix(std::size_t(count));
    }
}

}  // namespace

Records RecordFile::read() const {
    const Descriptor file(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!file && errno == ENOENT) return {};
    if (!file) fail(path_, "open");
    const std::string text = read_all(file.get(), path_);
    try {
        return read_as<Records>(parse({text.data(), text.size()}));
    } catch (const Error& error) {
        throw Error(Code::invalid, path_ + " is damaged: " + error.what());
    }
}

void RecordFile::write(const Records& records) const {
    const std::string fresh = path_ + ".new";
    {
        const Descriptor file(
            ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
        if (!file) fail(fresh, "open");
        write_all(file.get(), Json(records).dump(), fresh);
    }
    if (::rename(fresh.c_str(), path_.c_str()) != 0) fail(path_, "replace");
}

}  // namespace keelson::bridge
