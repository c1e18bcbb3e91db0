#include "program_log.h"

#include <cstdlib>
#include <sstream>

#include "files.h"
#include "keelson/document.hpp"

namespace keelson::oci {

std::string program_message(const std::string& log, std::int64_t code) {
    std::string message;
    std::stringstream lines(read_file(log).value_or(""));
    for (std::string line; std::getline(lines, line);) {
        const Json document = Json::parse(line, nullptr, false);
        if (!document.is_object() || !document.contains("msg") || !document["msg"].is_string()) continue;
        if (document.value("level", "error") == "error" || document.value("level", "") == "fatal")
            message = document["msg"].get<std::string>();
    }
    if (!message.empty()) return message;
    if (code == 126 || code == 127)
        return "the runtime's program cannot be executed; is it installed, and does config option 'program' "
               "name it?";
    return "the runtime's program has ended with code " + std::to_string(code) + " and said nothing";
}

std::string program_message(const std::string& log, const Answer& failure) {
    if (!failure.has(shim::field::code)) return failure.message();
    return program_message(log, std::strtoll(failure.get(shim::field::code).c_str(), nullptr, 10));
}

}  // namespace keelson::oci
