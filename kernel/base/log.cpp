#include "kernel/base/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>
#include <mutex>

namespace keelson::base {
namespace {

spdlog::level::level_enum spdlog_level(LogLevel level) {
    switch (level) {
        case LogLevel::debug:
            return spdlog::level::debug;
        case LogLevel::info:
            return spdlog::level::info;
        case LogLevel::warning:
            return spdlog::level::warn;
        case LogLevel::error:
            return spdlog::level::err;
        case LogLevel::off:
            break;
    }
    return spdlog::level::off;
}

constexpr const char* kTextPattern = "%Y-%m-%dT%H:%M:%S.%fZ %^%l%$ %v";
constexpr const char* kJsonPattern = R"({"time":"%Y-%m-%dT%H:%M:%S.%fZ","level":"%l",%v})";

std::shared_ptr<spdlog::logger> make_logger(spdlog::sink_ptr sink, const LogOptions& options) {
    auto logger = std::make_shared<spdlog::logger>("keelson", std::move(sink));
    logger->set_level(spdlog_level(options.level));
    logger->set_formatter(std::make_unique<spdlog::pattern_formatter>(
        options.json ? kJsonPattern : kTextPattern, spdlog::pattern_time_type::utc));
    logger->flush_on(spdlog::level::debug);
    return logger;
}

struct LogState {
    std::mutex mutex;
    std::shared_ptr<spdlog::logger> logger;
    std::atomic<LogLevel> level{LogLevel::info};
    std::atomic<bool> json{false};
};

LogState& state() {
    // Never destroyed: threads may log while the process ends.
    static auto* const state = [] {
        auto* made = new LogState;
        made->logger = make_logger(std::make_shared<spdlog::sinks::stderr_sink_mt>(), {});
        return made;
    }();
    return *state;
}

std::shared_ptr<spdlog::logger> current_logger() {
    std::lock_guard lock(state().mutex);
    return state().logger;
}

void append_escaped(std::string& to, std::string_view text) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    for (const char letter : text) {
        const auto byte = static_cast<unsigned char>(letter);
        if (letter == '"' || letter == '\\') {
            to += '\\';
            to += letter;
        } else if (letter == '\n') {
            to += "\\n";
        } else if (byte < 0x20 || byte == 0x7f) {
            to += "\\u00";
            to += kDigits[byte >> 4];
            to += kDigits[byte & 0x0f];
        } else {
            to += letter;
        }
    }
}

void append_quoted(std::string& to, std::string_view text) {
    to += '"';
    append_escaped(to, text);
    to += '"';
}

bool needs_quotes(std::string_view text) {
    if (text.empty()) return true;
    for (const char letter : text) {
        const auto byte = static_cast<unsigned char>(letter);
        if (byte <= ' ' || byte == 0x7f || letter == '"' || letter == '=' || letter == '\\') return true;
    }
    return false;
}

void append_value(std::string& to, const LogField::Value& value, bool json) {
    if (const auto* text = std::get_if<std::string_view>(&value)) {
        if (json || needs_quotes(*text)) {
            append_quoted(to, *text);
        } else {
            to += *text;
        }
    } else if (const auto* flag = std::get_if<bool>(&value)) {
        to += *flag ? "true" : "false";
    } else if (const auto* number = std::get_if<std::int64_t>(&value)) {
        to += std::to_string(*number);
    } else if (const auto* positive = std::get_if<std::uint64_t>(&value)) {
        to += std::to_string(*positive);
    } else {
        to += fmt::format("{}", std::get<double>(value));
    }
}

}  // namespace

Result<void> configure_log(const LogOptions& options) {
    spdlog::sink_ptr sink;
    try {
        if (options.path.empty()) {
            sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
        } else {
            sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(options.path);
        }
    } catch (const std::exception& error) {
        return Status(Reason::internal_error, "opening the log file " + options.path + ": " + error.what());
    }
    auto logger = make_logger(std::move(sink), options);
    std::lock_guard lock(state().mutex);
    state().logger = std::move(logger);
    state().level = options.level;
    state().json = options.json;
    return {};
}

void set_log_level(LogLevel level) {
    std::lock_guard lock(state().mutex);
    state().logger->set_level(spdlog_level(level));
    state().level = level;
}

bool log_enabled(LogLevel level) {
    return level >= state().level.load(std::memory_order_relaxed);
}

Result<LogLevel> parse_log_level(std::string_view text) {
    if (text == "debug") return LogLevel::debug;
    if (text == "info") return LogLevel::info;
    if (text == "warning") return LogLevel::warning;
    if (text == "error") return LogLevel::error;
    if (text == "off") return LogLevel::off;
    return Status(Reason::bad_request, "the log level \"" + std::string(text) +
                                           "\" is unknown: use debug, info, warning, error or off");
}

void log(LogLevel level, std::string_view message, LogFields fields) {
    if (!log_enabled(level)) return;
    const bool json = state().json;
    std::string line;
    if (json) {
        line += "\"message\":";
        append_quoted(line, message);
    } else {
        append_escaped(line, message);
    }
    for (const LogField& field : fields) {
        if (json) {
            line += ',';
            append_quoted(line, field.key);
            line += ':';
        } else {
            line += ' ';
            line += field.key;
            line += '=';
        }
        append_value(line, field.value, json);
    }
    try {
        current_logger()->log(spdlog_level(level), spdlog::string_view_t(line.data(), line.size()));
    } catch (...) {  // NOLINT: a log that cannot be written must not end the process
    }
}

}  // namespace keelson::base
