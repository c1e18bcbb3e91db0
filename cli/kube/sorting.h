// The order that `get --sort-by` asks for.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/kube/object.h"

namespace keelson::cli::kube {

// Sorts by what the path (a.b, .a.b or {.a.b}) finds in each: numbers and quantities by amount, texts with
// the numbers in them by amount as well. Those without it come first; nothing anywhere is a failure.
Result<void> sort_objects(std::vector<Object>& objects, const std::string& path);
// The rows of a server's Tables, which must hold their objects, become the rows of the first one.
Result<void> sort_rows(std::vector<Object>& tables, const std::string& path);

// "a2" before "a10".
bool is_before_by_nature(std::string_view one, std::string_view other);

}  // namespace keelson::cli::kube
