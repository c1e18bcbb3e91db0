#include "cli/print/custom_columns.h"

#include <nlohmann/json.hpp>

#include "cli/print/tab_writer.h"

namespace keelson::cli::printing {
namespace {

constexpr std::string_view kSpaces = " \t\r\n";

std::vector<std::string_view> words_of(std::string_view line) {
    std::vector<std::string_view> words;
    while (true) {
        const std::size_t begin = line.find_first_not_of(kSpaces);
        if (begin == std::string_view::npos) return words;
        line.remove_prefix(begin);
        const std::size_t end = std::min(line.find_first_of(kSpaces), line.size());
        words.push_back(line.substr(0, end));
        line.remove_prefix(end);
    }
}

std::string_view take_line(std::string_view& text) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return line;
}

std::string joined(const PathResults& results) {
    if (results.parts.empty() || results.parts.front().empty()) return "<none>";
    std::string text;
    const char* separator = "";
    for (const Found& found : results.parts) {
        for (const Json* value : found) {
            text += separator + go_text(*value);
            separator = ",";
        }
    }
    return text;
}

}  // namespace

Result<void> CustomColumns::add(std::string_view header, std::string_view path) {
    const auto written = relaxed_path(path);
    if (!written) return tl::unexpected(written.error());
    auto parsed = JsonPath::parse(*written);
    if (!parsed) return tl::unexpected(parsed.error());
    columns_.push_back({std::string(header), std::move(*parsed)});
    return {};
}

Result<CustomColumns> CustomColumns::parse(std::string_view text) {
    if (text.empty()) return fail("custom-columns format specified but no custom columns given");
    CustomColumns columns;
    while (true) {
        const std::size_t comma = std::min(text.find(','), text.size());
        const std::string_view one = text.substr(0, comma);
        const std::size_t colon = one.find(':');
        if (colon == std::string_view::npos)
            return fail("unexpected custom-columns spec: " + std::string(one) +
                        ", expected <header>:<json-path-expr>");
        if (auto added = columns.add(one.substr(0, colon), one.substr(colon + 1)); !added)
            return tl::unexpected(added.error());
        if (comma == text.size()) return columns;
        text.remove_prefix(comma + 1);
    }
}

Result<CustomColumns> CustomColumns::parse_file(std::string_view text) {
    const auto headers = words_of(take_line(text));
    const auto paths = words_of(take_line(text));
    if (headers.empty() || headers.size() != paths.size())
        return fail("number of headers (" + std::to_string(headers.size()) + ") and field specifications (" +
                    std::to_string(paths.size()) + ") don't match");
    CustomColumns columns;
    for (std::size_t i = 0; i < headers.size(); ++i)
        if (auto added = columns.add(headers[i], paths[i]); !added) return tl::unexpected(added.error());
    return columns;
}

Result<std::string> CustomColumns::line_of(const Json& object) const {
    std::string line;
    for (const Column& column : columns_) {
        const auto results = column.path.find(object, true);
        if (!results) return tl::unexpected(results.error());
        line += (line.empty() ? "" : "\t") + joined(*results);
    }
    return line + "\n";
}

Result<std::string> CustomColumns::print(const Json& object, bool with_headers) const {
    std::string table;
    if (with_headers) {
        for (const Column& column : columns_) table += (table.empty() ? "" : "\t") + column.header;
        table += "\n";
    }
    const auto items = object.find("items");
    std::vector<const Json*> rows;
    if (items != object.end() && items->is_array())
        for (const Json& item : *items) rows.push_back(&item);
    else
        rows.push_back(&object);
    for (const Json* row : rows) {
        auto line = line_of(*row);
        if (!line) return line;
        table += *line;
    }
    return align_tabs(table, kTableStops);
}

}  // namespace keelson::cli::printing
