// Requests: a well-formed one for every method that the SDK knows, and everything wrong that is made of it.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "transport.h"

namespace keelson::check {

using Random = std::mt19937_64;

// Names nothing that exists. Paths lie below `directory`. "{}" for methods that take nothing.
[[nodiscard]] std::string sample_request(const MethodReference& method, const std::string& directory);
// Whether the request names something by an id, so that the sample is a request for something unknown.
[[nodiscard]] bool names_something(const MethodReference& method);

// Every member of the document with a value of every type.
[[nodiscard]] std::vector<std::string> with_wrong_types(const std::string& document);
// Every string of the document, paths apart, with `suffix` behind it; the bytes are not escaped.
[[nodiscard]] std::string with_suffixes(const std::string& document, std::string_view suffix);
// Members that no version of the SDK knows, in every object.
[[nodiscard]] std::string with_unknown_members(const std::string& document);
// Arrays in arrays, or objects in objects.
[[nodiscard]] std::string nested_arrays(std::size_t depth);
[[nodiscard]] std::string nested_objects(std::size_t depth);
// What is no JSON object: other values, and what is no JSON at all.
[[nodiscard]] const std::vector<std::string>& no_objects();

// The sample after a few random changes; the same for the same state of `random`. Paths are never cut short.
[[nodiscard]] std::string fuzzed_request(const MethodReference& method, Random& random);

}  // namespace keelson::check
