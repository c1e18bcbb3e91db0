#include "cli/kube/table.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "kernel/base/clock.h"
#include "kernel/object/time_format.h"

namespace keelson::cli::kube {
namespace {

constexpr std::size_t kLeastWidth = 6;
constexpr std::size_t kGap = 3;

std::size_t letters_in(const std::string& text) {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char letter) { return (letter & 0xC0) != 0x80; }));
}

// Escape characters become visible, and only the first line is shown.
std::string safe(const std::string& text) {
    std::string clean;
    const std::size_t end = text.find_first_of("\f\n\r");
    for (const char letter : text.substr(0, end)) {
        if (letter == '\033')
            clean += "^[";
        else
            clean += letter;
    }
    return end == std::string::npos ? clean : clean + "...";
}

std::string upper_case(std::string text) {
    for (char& letter : text)
        if (letter >= 'a' && letter <= 'z') letter = static_cast<char>(letter - 'a' + 'A');
    return text;
}

std::string labels_text(const Object& labels) {
    std::string text;
    if (labels.is_object())
        for (const auto& [name, value] : labels.items())
            text +=
                (text.empty() ? "" : ",") + name + "=" + (value.is_string() ? value.get<std::string>() : "");
    return text.empty() ? "<none>" : text;
}

}  // namespace

std::string Columns::take(bool keeps_widths) {
    std::vector<std::size_t> widths = widths_;
    for (const auto& row : rows_) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); ++i)
            widths[i] = std::max({widths[i], letters_in(row[i]) + kGap, kLeastWidth});
    }
    std::string text;
    for (const auto& row : rows_) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            text += row[i];
            if (i + 1 < row.size()) text.append(widths[i] - letters_in(row[i]), ' ');
        }
        text += '\n';
    }
    rows_.clear();
    widths_ = keeps_widths ? widths : std::vector<std::size_t>();
    return text;
}

std::string age_text(const std::string& time) {
    const auto parsed = object::parse_time(time);
    if (!parsed) return "<unknown>";
    const auto now = object::instant_of(base::system_clock().wall_now());
    return object::human_duration(now.seconds - parsed->seconds);
}

Object table_of_objects(Object document) {
    Object table = {{"kind", "Table"},
                    {"metadata", member(document, "metadata")},
                    {"columnDefinitions", {{{"name", "Name"}}, {{"name", "Age"}}}},
                    {"rows", Object::array()}};
    const auto add = [&table](Object object) {
        const std::string age = age_text(text_at(member(object, "metadata"), "creationTimestamp"));
        table["rows"].push_back({{"cells", {name_of(object), age}}, {"object", std::move(object)}});
    };
    if (!member(document, "items").is_array()) {
        add(std::move(document));
        return table;
    }
    for (Object& item : document["items"]) add(std::move(item));
    return table;
}

std::string cell_text(const Object& cell) {
    if (cell.is_null()) return "";
    if (cell.is_string()) return safe(cell.get<std::string>());
    return safe(cell.dump(-1, ' ', false, Object::error_handler_t::replace));
}

void TableText::add(const Object& table) {
    const Object& definitions = member(table, "columnDefinitions");
    if (definitions.is_array() && !definitions.empty()) definitions_ = definitions;
    const Object& rows = member(table, "rows");
    if (options_.has_headers && !has_headings_) add_headings();
    if (rows.is_array())
        for (const Object& row : rows) add_row(row);
}

void TableText::add_headings() {
    has_headings_ = true;
    std::vector<std::string> cells;
    if (options_.shows_namespace) cells.emplace_back("NAMESPACE");
    for (const Object& column : definitions_)
        if (options_.is_wide || member(column, "priority") == Object(0) ||
            member(column, "priority").is_null())
            cells.push_back(upper_case(text_at(column, "name")));
    for (const std::string& label : options_.label_columns)
        cells.push_back(upper_case(label.substr(label.rfind('/') + 1)));
    if (options_.shows_labels) cells.emplace_back("LABELS");
    columns_.add(std::move(cells));
}

void TableText::add_row(const Object& row) {
    std::vector<std::string> cells;
    const Object& metadata = member(member(row, "object"), "metadata");
    if (options_.shows_namespace) cells.push_back(text_at(metadata, "namespace"));
    const Object& values = member(row, "cells");
    for (std::size_t i = 0; values.is_array() && i < values.size() && i < definitions_.size(); ++i) {
        const Object& priority = member(definitions_[i], "priority");
        if (!options_.is_wide && !priority.is_null() && priority != Object(0)) continue;
        std::string text = cell_text(values[i]);
        if (i == 0 && !options_.kind.empty()) text.insert(0, options_.kind + "/");
        cells.push_back(std::move(text));
    }
    const Object& labels = member(metadata, "labels");
    for (const std::string& label : options_.label_columns) cells.push_back(text_at(labels, label));
    if (options_.shows_labels) cells.push_back(labels_text(labels));
    columns_.add(std::move(cells));
}

}  // namespace keelson::cli::kube
