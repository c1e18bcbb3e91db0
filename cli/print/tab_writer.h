// Columns of text as Go's tabwriter aligns them: a cell ends with a tab; cells of following lines that stand
// under each other make a column, which is as wide as its widest cell.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace keelson::cli::printing {

// Columns in characters; `padding` is added to the widest cell.
struct TabStops {
    std::size_t least_width = 0;
    std::size_t padding = 2;
};

// As tables are printed and as descriptions are.
inline constexpr TabStops kTableStops{6, 3};
inline constexpr TabStops kDescriptionStops{0, 2};

std::string align_tabs(std::string_view text, TabStops stops);

}  // namespace keelson::cli::printing
