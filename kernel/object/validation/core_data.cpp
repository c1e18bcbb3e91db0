#include "kernel/object/json.h"
#include "kernel/object/validation/kinds.h"

namespace keelson::object::validation {

namespace {

constexpr std::int64_t kDataMost = 1 << 20;
constexpr std::string_view kFrozen = "field is immutable when `immutable` is set";

std::size_t base64_size(std::string_view text) {
    std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
    return text.size() / 4 * 3 - std::min(padding, text.size());
}

std::string base64_decoded(std::string_view text) {
    std::string out;
    std::uint32_t bits = 0;
    int count = 0;
    for (char c : text) {
        int digit = c >= 'A' && c <= 'Z'   ? c - 'A'
                    : c >= 'a' && c <= 'z' ? c - 'a' + 26
                    : c >= '0' && c <= '9' ? c - '0' + 52
                    : c == '+'             ? 62
                    : c == '/'             ? 63
                                           : -1;
        if (digit < 0) continue;
        bits = bits << 6 | static_cast<std::uint32_t>(digit);
        if (++count == 4) {
            out += {static_cast<char>(bits >> 16), static_cast<char>(bits >> 8), static_cast<char>(bits)};
            bits = 0;
            count = 0;
        }
    }
    if (count >= 2) out += static_cast<char>(bits >> (count == 2 ? 4 : 10));
    if (count == 3) out += static_cast<char>(bits >> 2);
    return out;
}

// A frozen object keeps its data.
void validate_frozen(FieldErrors& errors, const Request& request,
                     std::initializer_list<std::string_view> members) {
    if (!request.old["immutable"].as_boolean()) return;
    if (!request.object["immutable"].as_boolean()) errors.forbidden(FieldPath("immutable"), kFrozen);
    for (std::string_view name : members)
        if (!same(request.object[name], request.old[name])) errors.forbidden(FieldPath(name), kFrozen);
}

void require_data(FieldErrors& errors, Value data, std::string_view key) {
    const FieldPath path("data");
    if (!data.has(key)) errors.required(path.key(key));
}

void validate_json_data(FieldErrors& errors, Value data, std::string_view key) {
    const FieldPath path("data");
    if (!data.has(key)) return errors.required(path.key(key));
    Arena arena;
    std::string text = base64_decoded(data[key].as_string());
    auto parsed = parse_json(text, arena);
    constexpr std::string_view kRedacted = "<secret contents redacted>";
    if (!parsed) return errors.invalid(path.key(key), kRedacted, parsed.error().message());
    if (parsed->is_map() || parsed->is_null()) return;
    std::string_view what = parsed->is_list()      ? "array"
                            : parsed->is_string()  ? "string"
                            : parsed->is_boolean() ? "bool"
                                                   : "number";
    errors.invalid(
        path.key(key), kRedacted,
        "json: cannot unmarshal " + std::string(what) + " into Go value of type map[string]interface {}");
}

void validate_finalizers(FieldErrors& errors, const FieldPath& path, Value finalizers, bool indexed) {
    for (std::size_t i = 0; i < finalizers.size(); ++i) {
        std::string_view name = finalizers.at(i).as_string();
        const FieldPath item = path.index(i);
        const FieldPath& at = indexed ? item : path;
        qualified_name(errors, at, name);
        if (name.find('/') == std::string_view::npos && name != "kubernetes" && name != "orphan" &&
            name != "foregroundDeletion")
            errors.invalid(at, name, "name is neither a standard finalizer name nor is it fully qualified");
    }
}

}  // namespace

void check_meta(FieldErrors& errors, const Request& request, NameCheck check) {
    if (request.is_update()) validate_object_meta_update(errors, request);
    validate_object_meta(errors, request, check);
}

void check_config_map(FieldErrors& errors, const Request& request) {
    if (request.is_update()) {
        validate_object_meta_update(errors, request);
        validate_frozen(errors, request, {"data", "binaryData"});
    }
    validate_object_meta(errors, request, name_is_dns_subdomain);
    Value data = request.object["data"], binary = request.object["binaryData"];
    std::size_t total = 0;
    const FieldPath data_path("data");
    const FieldPath binary_path("binaryData");
    for (const Member& member : data.members()) {
        if (Messages messages = is_config_map_key(member.name); !messages.empty())
            errors.invalid_each(data_path.key(member.name), member.name, messages);
        if (binary.has(member.name))
            errors.invalid(data_path.key(member.name), member.name, "duplicate of key present in binaryData");
        total += member.value.size();
    }
    for (const Member& member : binary.members()) {
        if (Messages messages = is_config_map_key(member.name); !messages.empty())
            errors.invalid_each(binary_path.key(member.name), member.name, messages);
        total += base64_size(member.value.as_string());
    }
    if (total > static_cast<std::size_t>(kDataMost)) errors.too_long(FieldPath(), kDataMost);
}

void check_secret(FieldErrors& errors, const Request& request) {
    if (request.is_update()) {
        validate_object_meta_update(errors, request);
        immutable(errors, FieldPath("type"), request.object["type"], request.old["type"]);
        validate_frozen(errors, request, {"data"});
    }
    validate_object_meta(errors, request, name_is_dns_subdomain);
    const FieldPath path("data");
    Value data = request.object["data"];
    std::size_t total = 0;
    for (const Member& member : data.members()) {
        if (Messages messages = is_config_map_key(member.name); !messages.empty())
            errors.invalid_each(path.key(member.name), member.name, messages);
        total += base64_size(member.value.as_string());
    }
    if (total > static_cast<std::size_t>(kDataMost)) errors.too_long(path, kDataMost);
    std::string_view type = request.object["type"].as_string();
    if (type == "kubernetes.io/service-account-token") {
        constexpr std::string_view kName = "kubernetes.io/service-account.name";
        const FieldPath metadata("metadata");
        if (request.object.path({"metadata", "annotations", kName}).empty())
            errors.required(metadata.entry("annotations", kName));
    } else if (type == "kubernetes.io/dockercfg") {
        validate_json_data(errors, data, ".dockercfg");
    } else if (type == "kubernetes.io/dockerconfigjson") {
        validate_json_data(errors, data, ".dockerconfigjson");
    } else if (type == "kubernetes.io/basic-auth") {
        if (!data.has("username") && !data.has("password")) {
            require_data(errors, data, "username");
            require_data(errors, data, "password");
        }
    } else if (type == "kubernetes.io/ssh-auth") {
        require_data(errors, data, "ssh-privatekey");
    } else if (type == "kubernetes.io/tls") {
        require_data(errors, data, "tls.crt");
        require_data(errors, data, "tls.key");
    }
}

void check_service_account(FieldErrors& errors, const Request& request) {
    check_meta(errors, request, name_is_dns_subdomain);
}

void check_name_space(FieldErrors& errors, const Request& request) {
    const FieldPath spec_path("spec");
    const FieldPath path = spec_path.child("finalizers");
    if (!request.is_update()) {
        validate_object_meta(errors, request, name_is_dns_label);
        return validate_finalizers(errors, path, request.spec()["finalizers"], false);
    }
    validate_object_meta_update(errors, request);
    if (request.subresource == "finalize") {
        validate_finalizers(errors, path, request.spec()["finalizers"], true);
    } else if (request.subresource == "status") {
        const FieldPath status("status");
        std::string_view phase = request.object.path({"status", "phase"}).as_string();
        if (request.object.path({"metadata", "deletionTimestamp"}).is_unset()) {
            if (phase != "Active")
                errors.invalid(status.child("Phase"), phase,
                               "may only be 'Active' if `deletionTimestamp` is empty");
        } else if (phase != "Terminating") {
            errors.invalid(status.child("Phase"), phase,
                           "may only be 'Terminating' if `deletionTimestamp` is not empty");
        }
    }
}

void check_pod_template(FieldErrors& errors, const Request& request) {
    check_meta(errors, request, name_is_dns_subdomain);
    validate_pod_template(errors, FieldPath("template"), request.object["template"]);
}

void check_binding(FieldErrors& errors, const Request& request) {
    const FieldPath path("target");
    Value target = request.object["target"];
    std::string_view kind = target["kind"].as_string();
    if (!kind.empty() && kind != "Node") errors.not_supported(path.child("kind"), kind, {"Node", "<empty>"});
    if (target["name"].empty()) errors.required(path.child("name"));
}

}  // namespace keelson::object::validation
