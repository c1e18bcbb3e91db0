#include "log_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <ctime>

#include "keelson/call.hpp"

std::string time_text(std::int64_t unix_us) {
    constexpr std::int64_t second_us = 1'000'000;
    const std::time_t seconds = unix_us / second_us;
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    char date[32];
    char text[64];
    std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts);
    std::snprintf(text, sizeof text, "%s.%06d000Z", date, int(unix_us % second_us));
    return text;
}

bool append_log(const std::string& path, std::int64_t unix_us, std::string_view text) {
    const keelson::Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640));
    if (!file) return false;
    const std::string start = time_text(unix_us) + " stdout F ";
    std::string lines;
    while (!text.empty()) {
        const auto end = text.find('\n');
        lines.append(start).append(text.substr(0, end)).append("\n");
        text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    }
    return ::write(file.get(), lines.data(), lines.size()) == ssize_t(lines.size());
}
