// A container's log, in the format that kubelets read: "<time> stdout F <line>".
#ifndef KEELSON_SIM_LOG_FILE_H
#define KEELSON_SIM_LOG_FILE_H

#include <cstdint>
#include <string>
#include <string_view>

// "2026-01-02T03:04:05.000006000Z"
std::string time_text(std::int64_t unix_us);

// Adds the text, line by line, to the file; makes the file but not its directory. False, with errno, when
// that does not work.
bool append_log(const std::string& path, std::int64_t unix_us, std::string_view text);

#endif
