// Requests made from the schemas in sdk/schema: with every member that there is, and with the required ones
// only.
#pragma once

#include <string>
#include <vector>

#include "transport.h"

namespace keelson::check {

// Empty when the directory has no schema of that method. Throws std::runtime_error when its file is damaged.
[[nodiscard]] std::vector<std::string> requests_of_schema(const std::string& directory,
                                                          const MethodReference& method);

}  // namespace keelson::check
