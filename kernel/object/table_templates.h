// Cells that are one path of the object, and helpers that several files of columns share.
#pragma once

#include <algorithm>
#include <cctype>
#include <string>

#include "kernel/object/table_cells.h"

namespace keelson::object::tables {

// Text of a path with "<none>", "<unset>", "<unknown>" or nothing when it is missing.
template <const char* Path>
Value text_cell(const Cell& cell) {
    return cell.text_at(Path);
}
template <const char* Path>
Value text_or_none(const Cell& cell) {
    return cell.text_at(Path, "<none>");
}
template <const char* Path>
Value text_or_unset(const Cell& cell) {
    return cell.text_at(Path, "<unset>");
}
template <const char* Path>
Value number_cell(const Cell& cell) {
    return cell.number_at(Path);
}
template <const char* Path>
Value count_cell(const Cell& cell) {
    return Value::integer(static_cast<std::int64_t>(cell.at(Path).size()));
}
template <const char* Path>
Value truth_cell(const Cell& cell) {
    return Value::boolean(cell.at(Path).as_boolean());
}

inline std::string lower(std::string text) {
    std::ranges::transform(text, text.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

inline Value number_or_none(const Cell& cell, std::string_view path) {
    Value found = cell.at(path);
    return found.is_integer() ? found : cell.text("<none>");
}

// The name, marked when one of the annotations says that the object is the default of its kind.
inline Value name_with_default(const Cell& cell, std::initializer_list<std::string_view> annotations) {
    std::string name = cell.at("metadata.name").to_string();
    Value all = cell.at("metadata.annotations");
    for (std::string_view annotation : annotations)
        if (all[annotation].as_string() == "true") return cell.text(name + " (default)");
    return cell.text(name);
}

}  // namespace keelson::object::tables
