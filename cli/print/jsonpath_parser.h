// The syntax of kubectl's JSONPath templates as a tree.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/result.h"

namespace keelson::cli::printing {

enum class PathKind : std::uint8_t {
    list,  // its children one after the other, each on what the one before found
    text,
    field,
    slice,
    filter,
    integer,
    real,
    boolean,
    wildcard,
    recursive,
    unions,
    identifier,  // range and end
};

// Indices of a slice; `derived` when only one element was asked for.
struct PathSlice {
    std::optional<std::int64_t> begin, end, step;
    bool derived = false;
};

struct PathNode {
    PathKind kind = PathKind::list;
    std::string text;  // of texts, fields and identifiers; the operator of filters
    std::int64_t integer = 0;
    double real = 0;
    bool boolean = false;
    PathSlice slice;
    std::vector<PathNode> children;  // of lists and unions; left and right of filters
};

// The children of the result are the template's parts in order: texts, and one list for each {...}.
Result<PathNode> parse_jsonpath(std::string_view text);

}  // namespace keelson::cli::printing
