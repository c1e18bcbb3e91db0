#include "cli/output.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>

#include "kernel/object/json.h"
#include "kernel/object/yaml.h"

namespace keelson::cli {
namespace {

int output_error = 0;

bool has_colours() {
    static const bool has = [] {
        const char* terminal = std::getenv("TERM");
        const char* refused = std::getenv("NO_COLOR");
        const bool is_dumb = terminal == nullptr || std::string_view(terminal) == "dumb";
        return ::isatty(STDOUT_FILENO) == 1 && !is_dumb && (refused == nullptr || *refused == '\0');
    }();
    return has;
}

std::string coloured(const std::string& text, Colour colour) {
    constexpr const char* kCodes[] = {"", "\033[32m", "\033[31m", "\033[33m"};
    if (colour == Colour::none || !has_colours()) return text;
    return kCodes[static_cast<int>(colour)] + text + "\033[0m";
}

std::vector<std::size_t> column_widths(const std::vector<Row>& rows) {
    std::vector<std::size_t> widths;
    for (const Row& row : rows) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); ++i)
            widths[i] = std::max(widths[i], printable(row[i].text).size());
    }
    return widths;
}

}  // namespace

bool print(std::string_view text) {
    if (output_error != 0) return false;
    if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size()) return true;
    output_error = errno;
    return false;
}

Result<void> flush_output() {
    if (output_error == 0 && std::fflush(stdout) != 0) output_error = errno;
    if (output_error == EPIPE) return tl::unexpected(Failure{"", exit_good, true});
    return finish_output();
}

Result<void> finish_output() {
    if (output_error == 0 && std::fflush(stdout) != 0) output_error = errno;
    if (output_error == 0 || output_error == EPIPE) return {};
    return fail(std::string("writing the output: ") + std::strerror(output_error));
}

void print_table(const std::vector<Row>& rows) {
    const auto widths = column_widths(rows);
    for (const Row& row : rows) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i) {
            const std::string text = printable(row[i].text);
            line += coloured(text, row[i].colour);
            // The last column is not filled: its texts may be long.
            if (i + 1 < row.size()) line += std::string(widths[i] - text.size() + 2, ' ');
        }
        while (line.ends_with(' ')) line.pop_back();
        print(line + "\n");
    }
}

std::string printable(std::string_view text) {
    std::string clean(text);
    for (char& letter : clean) {
        const auto code = static_cast<unsigned char>(letter);
        if (letter == '\n' || letter == '\t' || letter == '\r')
            letter = ' ';
        else if (code < 32 || code == 127)
            letter = '?';
    }
    return clean;
}

std::string printable_lines(std::string_view text) {
    std::string clean;
    for (const char letter : text) {
        const auto code = static_cast<unsigned char>(letter);
        clean += (code < 32 && letter != '\n' && letter != '\t') || code == 127 ? '?' : letter;
    }
    return clean;
}

std::string text_of(const Json& document, std::string_view name) {
    const auto member = document.find(name);
    if (member == document.end() || member->is_null()) return {};
    if (member->is_string()) return member->get<std::string>();
    return text_of(*member);
}

std::string text_of(const Json& document) {
    return document.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string yaml_of_json(std::string_view json) {
    object::Arena arena;
    const auto value = object::parse_json(json, arena);
    std::string text;
    if (value) object::write_yaml(*value, text);
    return text;
}

void print_document(std::string_view json, Format format) {
    if (format == Format::yaml) {
        print(yaml_of_json(json));
        return;
    }
    print(json);
    if (!json.empty() && !json.ends_with('\n')) print("\n");
}

Result<Json> parse_answer(const std::string& body) {
    Json document = Json::parse(body, nullptr, false);
    if (!document.is_object())
        return fail("the server's answer is no JSON object: is it keelsond's admin API?");
    return document;
}

}  // namespace keelson::cli
