// Tables as kubectl prints them: columns three blanks apart and at least six wide; those that the server has
// made, and those of commands.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/kube/object.h"

namespace keelson::cli::kube {

// Columns that are as wide as their widest cell. Widths may be kept for rows that come later.
class Columns {
  public:
    void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
    // Nothing is remembered of the rows; the widths are when `keeps_widths`.
    std::string take(bool keeps_widths = false);

  private:
    std::vector<std::vector<std::string>> rows_;
    std::vector<std::size_t> widths_;
};

struct TableOptions {
    bool is_wide = false;
    bool has_headers = true;
    bool shows_namespace = false;
    bool shows_labels = false;
    std::vector<std::string> label_columns;
    std::string kind;  // when not empty, before the names: "pod" gives "pod/a"
};

// The server's Table documents: headings for the first of a type, then rows.
class TableText {
  public:
    explicit TableText(TableOptions options) : options_(std::move(options)) {}
    // Column definitions of a table that has none are those of the one before.
    void add(const Object& table);
    std::string take(bool keeps_widths = false) { return columns_.take(keeps_widths); }

  private:
    void add_headings();
    void add_row(const Object& row);

    TableOptions options_;
    Object definitions_;
    bool has_headings_ = false;
    Columns columns_;
};

// A Table of names and ages alone, of one object or of a list: for types whose own columns the server is not
// asked for. Its rows hold their objects.
Object table_of_objects(Object document);

// How long ago a time of an object is, "3m2s"; <unknown> when it is no time.
std::string age_text(const std::string& time);

// What a terminal is shown of a text.
std::string cell_text(const Object& cell);

}  // namespace keelson::cli::kube
