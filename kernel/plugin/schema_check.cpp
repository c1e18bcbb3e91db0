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

std::string place(const std::string& pointer, const std::map<std::string, int>& lines) {
    const auto found = lines.find(pointer);
    std::string text = found == lines.end() ? "" : "line " + std::to_string(found->second) + ": ";
    return text + (pointer.empty() ? "config" : "config" + pointer);
}

std::string describe(const json& schema, const json& document,
                     const valijson::ValidationResults::Error& error,
                     const std::map<std::string, int>& lines) {
    const std::string pointer = pointer_of(error.context);
    const std::string unknown = unknown_member(schema, document, pointer);
    if (!unknown.empty() && error.description.find("additionalProperties") != std::string::npos) {
        std::string known;
        for (const auto& [name, value] : schema["properties"].items())
            known += (known.empty() ? "" : ", ") + name;
        return place(pointer + "/" + unknown, lines) + ": unknown key '" + unknown +
               "' (known here: " + known + ")";
    }
    return place(pointer, lines) + ": " + error.description;
}

}  // namespace

Result<void> check_against_schema(std::string_view schema_text, std::string_view document_text,
                                  const std::map<std::string, int>& lines) {
    try {
        const json schema_document = json::parse(schema_text);
        const json document = json::parse(document_text);
        valijson::Schema schema;
        valijson::SchemaParser parser;
        parser.populateSchema(valijson::adapters::NlohmannJsonAdapter(schema_document), schema);
        valijson::Validator validator;
        valijson::ValidationResults results;
        if (validator.validate(schema, valijson::adapters::NlohmannJsonAdapter(document), &results))
            return base::ok();
        std::string message;
        valijson::ValidationResults::Error error;
        for (std::size_t i = 0; i < kNamedErrors && results.popError(error); ++i) {
            const std::string text = describe(schema_document, document, error, lines);
            if (message.find(text) == std::string::npos) message += (message.empty() ? "" : "; ") + text;
        }
        return Status(Reason::bad_request, message);
    } catch (const std::exception& error) {
        return Status(Reason::bad_request,
                      std::string("cannot be checked against its schema: ") + error.what());
    }
}

}  // namespace keelson::plugin
