// JSON text to Value and back. Errors are worded as Go's encoding/json does, because Kubernetes passes them
// on to clients ("invalid character 'b' looking for beginning of object key string").
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/result.h"
#include "kernel/object/value.h"

namespace keelson::object {

inline constexpr int kJsonDepthLimit = 1000;

// Parses one JSON value; anything but white space after it is an error (Reason::bad_request). Strings without
// escapes refer to `text`, which must live as long as the arena. Invalid UTF-8 becomes U+FFFD. Of duplicate
// members the last wins; when `duplicates` is given, their paths ("data.a", "spec.ports[0].name") are added
// to it.
[[nodiscard]] base::Result<Value> parse_json(std::string_view text, Arena& arena,
                                             std::vector<std::string>* duplicates = nullptr);

// The same with the text copied into the arena first.
[[nodiscard]] base::Result<Value> parse_json_copy(std::string_view text, Arena& arena,
                                                  std::vector<std::string>* duplicates = nullptr);

// Appends compact JSON. Absent values are written as null.
void write_json(Value value, std::string& out);
[[nodiscard]] std::string to_json(Value value);
// Indented by `indent` spaces a level, for people (`?pretty`).
void write_json_pretty(Value value, std::string& out, int indent = 2);
// Appends a quoted and escaped JSON string.
void write_json_string(std::string_view text, std::string& out);
// Appends a number as Go's encoding/json writes a float64.
void write_json_real(double value, std::string& out);

}  // namespace keelson::object
