// How one cell of a table is made. Shared by the files that list the columns of kinds.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/object/table.h"

namespace keelson::object::tables {

struct Cell {
    Value object;
    std::int64_t now_seconds;
    Arena& arena;

    [[nodiscard]] Value text(std::string_view value) const { return Value::string(arena, value); }
    // "spec.replicas"
    [[nodiscard]] Value at(std::string_view path) const;
    // The text of a path, or what stands for a missing one. Numbers and booleans are written out.
    [[nodiscard]] Value text_at(std::string_view path, std::string_view missing = "") const;
    [[nodiscard]] Value number_at(std::string_view path) const {
        return Value::integer(at(path).as_integer());
    }
    [[nodiscard]] std::string age(Value time) const;
    [[nodiscard]] Value age_at(std::string_view path) const { return text(age(at(path))); }
};

using CellFunction = Value (*)(const Cell&);

struct ColumnRule {
    Column column;
    CellFunction cell;
};

// The rules of a kind by type id; empty for kinds with the default columns.
[[nodiscard]] std::span<const ColumnRule> workload_rules(std::string_view type);  // pods and what makes pods
[[nodiscard]] std::span<const ColumnRule> cluster_rules(
    std::string_view type);  // networking, nodes, configuration
[[nodiscard]] std::span<const ColumnRule> storage_rules(std::string_view type);
[[nodiscard]] std::span<const ColumnRule> policy_rules(
    std::string_view type);  // access, admission, scaling, devices

[[nodiscard]] std::string plain_text(Value value);
[[nodiscard]] std::string join(const std::vector<std::string>& items, std::string_view separator = ",");
// "a=1,b=2", or "<none>".
[[nodiscard]] std::string labels_text(Value labels);
// A label selector in its text form, or "<none>".
[[nodiscard]] std::string selector_text(Value selector);
// The member `name` of each item of a list.
[[nodiscard]] std::vector<std::string> each_text(Value list, std::string_view name);
// The first three, and how many more.
[[nodiscard]] std::string first_three(const std::vector<std::string>& items, std::string_view empty);
// The condition of a type; absent when there is none.
[[nodiscard]] Value condition_of(Value status, std::string_view type);

// Columns that many kinds share.
Value name_cell(const Cell& cell);
Value age_cell(const Cell& cell);
inline constexpr ColumnRule kNameColumn{{"Name", "string", "name", 0}, name_cell};
inline constexpr ColumnRule kAgeColumn{{"Age", "string", "", 0}, age_cell};

}  // namespace keelson::object::tables
