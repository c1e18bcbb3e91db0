#include "cli/print/template_printer.h"

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/print/custom_columns.h"
#include "cli/print/go_template.h"
#include "cli/print/jsonpath.h"

namespace keelson::cli::printing {
namespace {

using Printer = std::unique_ptr<TemplatePrinter>;
constexpr std::string_view kSpaces = " \t\r\n";

class PathPrinter final : public TemplatePrinter {
  public:
    PathPrinter(JsonPath path, std::string text, bool as_json, bool allows_missing)
        : path_(std::move(path)),
          text_(std::move(text)),
          as_json_(as_json),
          allows_missing_(allows_missing) {}

    Result<void> print(const Json& object, std::string& out) const override {
        const auto results = path_.find(object, allows_missing_);
        if (!results)
            return fail("error executing jsonpath " + go_quote(text_) +
                        ": Error executing template: " + results.error().message +
                        ". Printing more information for debugging the template:\n" +
                        "\ttemplate was:\n\t\t" + text_ + "\n\tobject given to jsonpath engine was:\n\t\t" +
                        go_syntax(object) + "\n\n\n");
        for (const Found& found : results->parts) out += as_json_ ? listed(found) : joined(found);
        return {};
    }

  private:
    static std::string listed(const Found& found) {
        constexpr int kIndent = 4;
        Json list = Json::array();
        for (const Json* value : found) list.push_back(*value);
        return go_json(list, kIndent) + "\n";
    }
    static std::string joined(const Found& found) {
        std::string text;
        for (const Json* value : found) {
            if (value != found.front() || !text.empty()) text += ' ';
            text += value->is_structured() ? go_json(*value) : value->is_null() ? "null" : go_text(*value);
        }
        return text;
    }

    JsonPath path_;
    std::string text_;
    bool as_json_;
    bool allows_missing_;
};

class GoPrinter final : public TemplatePrinter {
  public:
    GoPrinter(GoTemplate parsed, std::string text, bool allows_missing)
        : parsed_(std::move(parsed)), text_(std::move(text)), allows_missing_(allows_missing) {}

    Result<void> print(const Json& object, std::string& out) const override {
        const auto done = parsed_.run(object, allows_missing_, out);
        if (done) return {};
        const std::string& why = done.error().message;
        out += "Error executing template: " + why +
               ". Printing more information for debugging the template:\n" + "\ttemplate was:\n\t\t" + text_ +
               "\n\traw data was:\n\t\t" + go_json(object) +
               "\n\tobject given to template engine was:\n\t\t" + go_text(object) + "\n\n";
        return fail("error executing template " + go_quote(text_) + ": " + why);
    }

  private:
    GoTemplate parsed_;
    std::string text_;
    bool allows_missing_;
};

class ColumnPrinter final : public TemplatePrinter {
  public:
    ColumnPrinter(CustomColumns columns, bool with_headers)
        : columns_(std::move(columns)), with_headers_(with_headers) {}

    Result<void> print(const Json& object, std::string& out) const override {
        const auto table = columns_.print(object, with_headers_);
        if (!table) return tl::unexpected(table.error());
        out += *table;
        return {};
    }

  private:
    CustomColumns columns_;
    bool with_headers_;
};

Result<Printer> make_path(const std::string& text, bool as_json, const TemplateOptions& options) {
    if (text.empty()) return fail("template format specified but no template given");
    auto path = JsonPath::parse(text);
    if (!path) return fail("error parsing jsonpath " + text + ", " + path.error().message);
    return std::make_unique<PathPrinter>(std::move(*path), text, as_json, options.allows_missing);
}

Result<Printer> make_go(const std::string& text, const TemplateOptions& options) {
    if (text.empty()) return fail("template format specified but no template given");
    auto parsed = GoTemplate::parse(text);
    if (!parsed) return fail("error parsing template " + text + ", " + parsed.error().message);
    return std::make_unique<GoPrinter>(std::move(*parsed), text, options.allows_missing);
}

Result<Printer> make_columns(const std::string& text, bool is_file, const TemplateOptions& options) {
    if (text.find_first_not_of(kSpaces) == std::string::npos)
        return fail("custom-columns format specified but no custom columns given");
    auto columns = is_file ? CustomColumns::parse_file(text) : CustomColumns::parse(text);
    if (!columns) return tl::unexpected(columns.error());
    return std::make_unique<ColumnPrinter>(std::move(*columns), options.with_headers);
}

std::optional<std::string> read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return std::nullopt;
    return std::string(std::istreambuf_iterator<char>(file), {});
}

}  // namespace

bool is_template_kind(std::string_view kind) {
    for (const std::string_view known :
         {"jsonpath", "jsonpath-as-json", "jsonpath-file", "go-template", "template", "go-template-file",
          "templatefile", "custom-columns", "custom-columns-file"})
        if (kind == known) return true;
    return false;
}

Result<Printer> make_template_printer(std::string_view kind, std::string_view text, TemplateOptions options) {
    std::string content(text);
    const bool is_file = kind.ends_with("file");
    if (is_file && !content.empty()) {
        auto read = read_file(content);
        if (!read)
            return fail("error reading --template " + content + ", open " + content +
                        ": no such file or directory\n");
        content = std::move(*read);
    }
    if (kind.starts_with("jsonpath")) return make_path(content, kind == "jsonpath-as-json", options);
    if (kind.starts_with("custom-columns")) return make_columns(content, is_file, options);
    return make_go(content, options);
}

Result<std::string> print_with_template(std::string_view kind, std::string_view text, const Json& object,
                                        TemplateOptions options) {
    const auto printer = make_template_printer(kind, text, options);
    if (!printer) return tl::unexpected(printer.error());
    std::string out;
    if (auto done = (*printer)->print(object, out); !done) return tl::unexpected(done.error());
    return out;
}

}  // namespace keelson::cli::printing
