// What a method answers, on either side of the plugin border.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernel/base/files.h"

namespace keelson::plugin {

struct Outcome {
    std::int32_t code = 0;  // enum keelson_status
    std::string body;
    std::vector<base::FileDescriptor> descriptors;
};

}  // namespace keelson::plugin
