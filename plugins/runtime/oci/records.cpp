#include "records.h"

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <sstream>

#include "files.h"
#include "shim/protocol.h"

namespace keelson::oci {

Status read_status(const std::string& container_directory) {
    Status status;
    std::stringstream text(read_file(container_directory + "/" + shim::status_name, 4096).value_or(""));
    for (std::string name, value; text >> name >> value;) {
        const std::int64_t number = std::strtoll(value.c_str(), nullptr, 10);
        if (name == "state") status.state = value;
        if (name == "process") status.process = number;
        if (name == "started") status.started_ns = number;
        if (name == "finished") status.finished_ns = number;
        if (name == "code") status.code = std::int32_t(number);
        if (name == "oom") status.out_of_memory = number != 0;
    }
    return status;
}

std::string time_text(std::int64_t unix_ns) {
    const std::time_t seconds = unix_ns / 1'000'000'000;
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    char text[64];
    const std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    std::snprintf(text + size, sizeof text - size, ".%09dZ", int(unix_ns % 1'000'000'000));
    return text;
}

}  // namespace keelson::oci
