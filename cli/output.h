// What goes to standard output: documents, tables, colours.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "cli/result.h"

namespace keelson::cli {

using Json = nlohmann::ordered_json;

// False when nobody reads any more. What a disk or a reader refuses shows in finish_output.
bool print(std::string_view text);

// What was printed so far reaches the reader, who may wait for it. A reader that has left is a failure
// without words.
Result<void> flush_output();

// Good when all was written, or the reader has left by its own will.
Result<void> finish_output();

// Tells how things are, on a terminal only.
enum class Colour { none, good, bad, warning };

struct Cell {
    std::string text;
    Colour colour = Colour::none;
};
using Row = std::vector<Cell>;

// The first row is the heading; columns are as wide as they must be.
void print_table(const std::vector<Row>& rows);

// Lines stay lines; what would move a terminal's cursor does not.
std::string printable_lines(std::string_view text);

// Without what would move a terminal's cursor.
std::string printable(std::string_view text);

// A document's member as text: empty when absent, JSON when it is no text or number.
std::string text_of(const Json& document, std::string_view name);
// On one line, whatever the bytes.
std::string text_of(const Json& document);

// Sentences and tables for people, or the document itself.
enum class Format { people, json, yaml };
// A JSON document with an end of line, or as YAML with sorted members; nothing but this is printed then.
void print_document(std::string_view json, Format format = Format::json);
// Empty when it is no JSON.
std::string yaml_of_json(std::string_view json);

// Answers of the server are objects.
Result<Json> parse_answer(const std::string& body);

}  // namespace keelson::cli
