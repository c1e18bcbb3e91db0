#include "kernel/plugin/schema_check.h"

#include <nlohmann/json.hpp>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

namespace keelson::plugin {
namespace {

using base::Reason;
using base::Result;
using base::Status;
using nlohmann::json;

constexpr std::size_t kNamedErrors = 10;

// ["<root>", "[disks]", "[0]"] is /disks/0.
std::string pointer_of(const std::vector<std::string>& context) {
    std::string pointer;
    for (std::size_t i = 1; i < context.size(); ++i) {
        const std::string& part = context[i];
        pointer += "/" + (part.size() >= 2 && part.front() == '[' ? part.substr(1, part.size() - 2) : part);
    }
    return pointer;
}

// The members that a schema without further properties does not know, at this place.
std::string unknown_member(const json& schema, const json& document, const std::string& pointer) {
    const json::json_pointer at(pointer);
    if (!pointer.empty() || !schema.contains("properties") || !document.is_object()) return {};
    for (const auto& [name, value] : document.items())
        if (!schema["properties"].contains(name)) return name;
    return {};
}

// Where something is wrong, and how the whole document is called.
struct Place {
    const std::string& root;
    const std::map<std::string, int>& lines;

    [[nodiscard]] std::string text(const std::string& pointer) const {
        const auto found = lines.find(pointer);
        const std::string line = found == lines.end() ? "" : "line " + std::to_string(found->second) + ": ";
        return line + (root.empty() && pointer.empty() ? "/" : root + pointer);
    }
};

std::string describe(const json& schema, const json& document,
                     const valijson::ValidationResults::Error& error, const Place& place) {
    const std::string pointer = pointer_of(error.context);
    const std::string unknown = unknown_member(schema, document, pointer);
    if (!unknown.empty() && error.description.find("additionalProperties") != std::string::npos) {
        std::string known;
        for (const auto& [name, value] : schema["properties"].items())
            known += (known.empty() ? "" : ", ") + name;
        return place.text(pointer + "/" + unknown) + ": unknown key '" + unknown + "' (known here: " + known +
               ")";
    }
    return place.text(pointer) + ": " + error.description;
}

}  // namespace

struct DocumentSchema::Parsed {
    json document;
    valijson::Schema schema;
    std::string root;
};

Result<DocumentSchema> DocumentSchema::parse(std::string_view schema, std::string root) {
    try {
        auto parsed = std::make_shared<Parsed>();
        parsed->document = json::parse(schema);
        parsed->root = std::move(root);
        valijson::SchemaParser parser;
        parser.populateSchema(valijson::adapters::NlohmannJsonAdapter(parsed->document), parsed->schema);
        return DocumentSchema(std::move(parsed));
    } catch (const std::exception& error) {
        return Status(Reason::bad_request, std::string("is not a schema: ") + error.what());
    }
}

Result<void> DocumentSchema::check(std::string_view text, const std::map<std::string, int>& lines) const {
    try {
        const json document = json::parse(text);
        valijson::Validator validator;
        valijson::ValidationResults results;
        if (validator.validate(parsed_->schema, valijson::adapters::NlohmannJsonAdapter(document), &results))
            return base::ok();
        std::string message;
        valijson::ValidationResults::Error error;
        const Place place{parsed_->root, lines};
        for (std::size_t i = 0; i < kNamedErrors && results.popError(error); ++i) {
            const std::string one = describe(parsed_->document, document, error, place);
            if (message.find(one) == std::string::npos) message += (message.empty() ? "" : "; ") + one;
        }
        return Status(Reason::bad_request, message);
    } catch (const std::exception& error) {
        return Status(Reason::bad_request,
                      std::string("cannot be checked against its schema: ") + error.what());
    }
}

Result<void> check_against_schema(std::string_view schema_text, std::string_view document,
                                  const std::map<std::string, int>& lines) {
    auto schema = DocumentSchema::parse(schema_text, "config");
    if (!schema)
        return std::move(schema).error().with_context("the configuration cannot be checked: its schema ");
    return schema->check(document, lines);
}

}  // namespace keelson::plugin
