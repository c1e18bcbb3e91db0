// Between the documents that plugins write and Statuses.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "kernel/base/result.h"

namespace keelson::plugin {

// What a method's failure says. `who`: "plugin mydisk: keelson.volume/0.publish".
[[nodiscard]] base::Status status_of(std::int32_t code, std::string_view error_document,
                                     std::string_view who);
// The other way round: the status that a plugin is told for a failure of the kernel.
[[nodiscard]] std::int32_t code_of(base::Reason reason);
// Ok, or why the instance says that it is not well. A document that is not one is a failure too.
[[nodiscard]] base::Result<void> health_of(std::string_view document);
// {"message": "..."}
[[nodiscard]] std::string error_document(std::string_view message);
// Whether it is one JSON document, and nothing else.
[[nodiscard]] bool is_json(std::string_view text);
// The same document with its members in order; empty when it is not JSON.
[[nodiscard]] std::string normalized_json(std::string_view text);

}  // namespace keelson::plugin
