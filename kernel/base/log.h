// The process log: one line an entry, a level, a message and key=value fields. Thread-safe.
//
//     log_info("listening", {{"address", address}, {"port", port}});
//
// Never log secrets: tokens, keys, Secret data.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

#include "kernel/base/result.h"

namespace keelson::base {

enum class LogLevel : std::uint8_t { debug, info, warning, error, off };

// One field. Text is not copied: a field lives only for the call it is written in.
struct LogField {
    using Value = std::variant<std::string_view, std::int64_t, std::uint64_t, double, bool>;

    LogField(std::string_view name, std::string_view text) : key(name), value(text) {}
    LogField(std::string_view name, const std::string& text) : key(name), value(std::string_view(text)) {}
    LogField(std::string_view name, const char* text) : key(name), value(std::string_view(text)) {}
    LogField(std::string_view name, bool flag) : key(name), value(flag) {}
    LogField(std::string_view name, double number) : key(name), value(number) {}
    template <std::signed_integral Number>
    LogField(std::string_view name, Number number) : key(name), value(static_cast<std::int64_t>(number)) {}
    template <std::unsigned_integral Number>
    LogField(std::string_view name, Number number) : key(name), value(static_cast<std::uint64_t>(number)) {}
    // A Status is logged as its message.
    LogField(std::string_view name, const Status& status)
        : key(name), value(std::string_view(status.message())) {}

    std::string_view key;
    Value value;
};

using LogFields = std::initializer_list<LogField>;

struct LogOptions {
    LogLevel level = LogLevel::info;
    bool json = false;  // one JSON object a line instead of text
    std::string path;   // empty = standard error
};

// Until it is called, the log goes to standard error at level info. Fails when the file cannot be opened; the
// log then stays as it was. Calling it again with a path reopens the file.
[[nodiscard]] Result<void> configure_log(const LogOptions& options);
void set_log_level(LogLevel level);
[[nodiscard]] bool log_enabled(LogLevel level);
// "debug", "info", "warning", "error" or "off"; anything else fails with a sentence that lists them.
[[nodiscard]] Result<LogLevel> parse_log_level(std::string_view text);

void log(LogLevel level, std::string_view message, LogFields fields = {});
inline void log_debug(std::string_view message, LogFields fields = {}) {
    if (log_enabled(LogLevel::debug)) log(LogLevel::debug, message, fields);
}
inline void log_info(std::string_view message, LogFields fields = {}) {
    log(LogLevel::info, message, fields);
}
inline void log_warning(std::string_view message, LogFields fields = {}) {
    log(LogLevel::warning, message, fields);
}
inline void log_error(std::string_view message, LogFields fields = {}) {
    log(LogLevel::error, message, fields);
}

}  // namespace keelson::base
