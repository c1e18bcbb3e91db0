// Requests and replies against the schemas that the SDK publishes (sdk/schema, compiled in). It costs a parse
// of every document: for debug builds, and for operators who are looking for what is wrong with a plugin.
#pragma once

#include <cstdint>
#include <string_view>

#include "kernel/base/result.h"
#include "kernel/plugin/protocol.h"

namespace keelson::plugin {

enum class Document : std::uint8_t { request, reply };

// Fails with internal_error: "its reply is not what sdk/schema/volume.json says: /usage: ...". Methods
// without a schema (start, stop, health) are not looked at. Thread-safe.
[[nodiscard]] base::Result<void> check_contract(MethodId method, Document which, std::string_view text);

}  // namespace keelson::plugin
