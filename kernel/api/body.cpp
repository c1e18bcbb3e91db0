#include "kernel/api/body.h"

#include "kernel/api/accept.h"
#include "kernel/object/json.h"
#include "kernel/object/protobuf.h"
#include "kernel/object/yaml.h"
#include "kernel/resource/errors.h"

namespace keelson::api {
namespace {

using base::Reason;
using base::Result;
using base::Status;
using object::Arena;
using object::Value;

constexpr std::string_view kAccepted =
    "application/json, application/yaml, application/vnd.kubernetes.protobuf";

// The start of a body in an error: printable text as it is, else hexadecimal.
std::string shown(std::string_view text, bool printable) {
    if (text.empty()) return "<empty>";
    constexpr std::size_t kLimit = 2048;
    if (printable) return std::string(text.substr(0, kLimit));
    constexpr char kHex[] = "0123456789abcdef";
    std::string out;
    for (unsigned char c : text.substr(0, kLimit)) {
        out += kHex[c >> 4];
        out += kHex[c & 15];
    }
    return out;
}

Status unrecognized(std::string_view expected_kind, std::string_view why, std::string_view text) {
    std::string message = "couldn't get version/kind; json parse error: " + std::string(why);
    if (expected_kind.empty()) return resource::bad_request(message);
    bool printable = text.starts_with('{');
    return resource::bad_request("the object provided is unrecognized (must be of type " +
                                 std::string(expected_kind) + "): " + message + " (" +
                                 shown(text, printable) + ")");
}

std::string_view json_kind(Value value) {
    if (value.is_list()) return "array";
    if (value.is_string()) return "string";
    return value.is_boolean() ? "bool" : "number";
}

Result<resource::Body> parse_json_body(std::string_view text, std::string_view expected_kind, Arena& arena,
                                       bool note_duplicates) {
    resource::Body body;
    auto value = object::parse_json(text, arena, note_duplicates ? &body.duplicate_fields : nullptr);
    if (!value) return unrecognized(expected_kind, value.error().message(), text);
    if (!value->is_map() && !value->is_unset())
        return unrecognized(
            expected_kind,
            "json: cannot unmarshal " + std::string(json_kind(*value)) +
                " into Go value of type struct { APIVersion string "
                "\"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }",
            text);
    body.value = *value;
    return body;
}

Result<resource::Body> parse_yaml_body(std::string_view text, std::string_view expected_kind, Arena& arena,
                                       bool note_duplicates) {
    resource::Body body;
    auto value = object::parse_yaml(text, arena, note_duplicates ? &body.duplicate_fields : nullptr);
    if (!value) return unrecognized(expected_kind, value.error().message(), text);
    if (!value->is_map() && !value->is_unset())
        return unrecognized(expected_kind, "the document is not an object", text);
    body.value = *value;
    return body;
}

Result<resource::Body> parse_protobuf_body(std::string_view text, Arena& arena) {
    KEELSON_TRY(object::Envelope envelope, object::unwrap_message(text));
    std::size_t slash = envelope.api_version.find('/');
    std::string_view group =
        slash == std::string_view::npos ? std::string_view() : envelope.api_version.substr(0, slash);
    std::string_view version =
        slash == std::string_view::npos ? envelope.api_version : envelope.api_version.substr(slash + 1);
    const object::Type* type = object::find_kind(group, version, envelope.kind);
    if (!type)
        return resource::bad_request("no kind \"" + std::string(envelope.kind) +
                                     "\" is registered for version \"" + std::string(envelope.api_version) +
                                     "\" in scheme \"pkg/api/legacyscheme/scheme.go:30\"");
    resource::Body body;
    KEELSON_TRY(body.value, object::decode_message(*type, envelope.message, arena));
    body.value.set(arena, "kind", Value::string(arena, envelope.kind));
    body.value.set(arena, "apiVersion", Value::string(arena, envelope.api_version));
    return body;
}

}  // namespace

Result<BodyFormat> body_format(const Request& request) {
    MediaType media = parse_content_type(request.header("Content-Type"));
    if (media.type.empty() || media.type == "application/json") return BodyFormat::json;
    if (media.type == "application/yaml") return BodyFormat::yaml;
    if (media.type == "application/vnd.kubernetes.protobuf") return BodyFormat::protobuf;
    return Status(Reason::unsupported_media_type,
                  "the body of the request was in an unknown format - accepted media types include: " +
                      std::string(kAccepted));
}

Result<resource::Body> parse_body(std::string_view text, BodyFormat format, std::string_view expected_kind,
                                  Arena& arena, bool note_duplicates) {
    switch (format) {
        case BodyFormat::json:
            return parse_json_body(text, expected_kind, arena, note_duplicates);
        case BodyFormat::yaml:
            return parse_yaml_body(text, expected_kind, arena, note_duplicates);
        case BodyFormat::protobuf:
            return parse_protobuf_body(text, arena);
    }
    return resource::Body();
}

std::optional<resource::PatchType> patch_type(const Request& request) {
    std::string type = parse_content_type(request.header("Content-Type")).type;
    if (type == "application/json-patch+json") return resource::PatchType::json;
    if (type == "application/merge-patch+json") return resource::PatchType::merge;
    if (type == "application/strategic-merge-patch+json") return resource::PatchType::strategic;
    if (type == "application/apply-patch+yaml") return resource::PatchType::apply;
    return std::nullopt;
}

Status unsupported_patch() {
    return Status(Reason::unsupported_media_type, "415: Unsupported Media Type").with_details({});
}

Result<resource::Body> parse_patch(std::string_view text, resource::PatchType type, Arena& arena) {
    resource::Body body;
    if (type == resource::PatchType::apply) {
        auto value = object::parse_yaml(text, arena, &body.duplicate_fields);
        if (!value) return resource::bad_request("error decoding YAML: " + value.error().message());
        body.value = *value;
        return body;
    }
    auto value = object::parse_json(text, arena, &body.duplicate_fields);
    if (!value) return resource::bad_request("error decoding patch: " + value.error().message());
    body.value = *value;
    return body;
}

}  // namespace keelson::api
