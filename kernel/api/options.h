// The query parameters of resource requests as the options of verbs, checked in Kubernetes' words.
#pragma once

#include <cstdint>
#include <optional>

#include "kernel/api/exchange.h"
#include "kernel/base/result.h"
#include "kernel/resource/call.h"

namespace keelson::api {

// kind: "CreateOptions", "UpdateOptions" or "PatchOptions", as it appears in errors.
[[nodiscard]] base::Result<resource::WriteOptions> parse_write_options(const Request& request,
                                                                       std::string_view kind,
                                                                       bool is_apply = false);
[[nodiscard]] base::Result<resource::ListOptions> parse_list_options(const Request& request);
// From the query and, where there is one, a DeleteOptions body (an unset value means none).
[[nodiscard]] base::Result<resource::DeleteOptions> parse_delete_options(const Request& request,
                                                                         object::Value body);

// Whether the query asks for a watch (`watch=1`, `watch=true`, a bare `watch`).
[[nodiscard]] bool asks_for_watch(const Request& request);
// Go's reading of a boolean query parameter: everything but "false" and "0" is true.
[[nodiscard]] bool query_flag(const Request& request, std::string_view name);
// None when it is missing or empty; fails in the words of Go's strconv.
[[nodiscard]] base::Result<std::optional<std::int64_t>> query_integer(const Request& request,
                                                                      std::string_view name);

}  // namespace keelson::api
