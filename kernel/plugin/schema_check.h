// Documents against JSON Schemas.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "kernel/base/result.h"

namespace keelson::plugin {

// Whether the document obeys the schema (draft 7). A failure lists what is wrong, at most ten things; `lines`
// tells where parts of the document stand in the operator's file (JSON pointer to line), and may be empty.
[[nodiscard]] base::Result<void> check_against_schema(std::string_view schema, std::string_view document,
                                                      const std::map<std::string, int>& lines = {});

}  // namespace keelson::plugin
