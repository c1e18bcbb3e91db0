#include "stack/sysctl.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "keelson/call.hpp"

namespace keelson::stack {
namespace {

std::string path_of(const std::string& name) {
    return "/proc/sys/net/" + name;
}

}  // namespace

std::optional<std::string> read_sysctl(const std::string& name) {
    const Descriptor file(::open(path_of(name).c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) return std::nullopt;
    char buffer[64];
    const ssize_t size = ::read(file.get(), buffer, sizeof buffer);
    if (size < 0) return std::nullopt;
    std::string text(buffer, std::size_t(size));
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
}

bool set_sysctl(const std::string& name, const std::string& value) {
    const auto current = read_sysctl(name);
    if (!current) return false;
    if (*current == value) return true;
    const Descriptor file(::open(path_of(name).c_str(), O_WRONLY | O_CLOEXEC));
    if (file && ::write(file.get(), value.data(), value.size()) == ssize_t(value.size())) return true;
    const int error = errno;
    throw Error(error == EACCES || error == EPERM || error == EROFS ? Code::forbidden : Code::internal,
                "cannot write " + value + " to " + path_of(name) + ": " + std::strerror(error) +
                    "; /proc/sys must be writable for keelsond");
}

}  // namespace keelson::stack
