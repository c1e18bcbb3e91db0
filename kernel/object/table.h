// Server-side tables: the columns that kubectl prints and the cells of an object.
// The columns follow Kubernetes' printers (pkg/printers/internalversion).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "kernel/object/schema.h"
#include "kernel/object/value.h"

namespace keelson::object {

struct Column {
    std::string_view name;
    std::string_view type;      // "string", "integer", "number", "boolean", "date"
    std::string_view format;    // "name" for the column that names the object
    std::int32_t priority = 0;  // above 0: only in wide output
};

// The columns of a kind; kinds without columns of their own have Name and Created At.
[[nodiscard]] std::span<const Column> table_columns(const Type& type);

// One cell for each column, strings or integers. `now_seconds`: since 1970, for ages.
[[nodiscard]] Value table_cells(const Type& type, Value object, std::int64_t now_seconds, Arena& arena);

// The `conditions` of a row (a finished pod); unset for none.
[[nodiscard]] Value table_row_conditions(const Type& type, Value object, Arena& arena);

}  // namespace keelson::object
