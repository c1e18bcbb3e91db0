#include <algorithm>
#include <set>

#include "kernel/object/validation/kinds.h"

namespace keelson::object::validation {

namespace {

constexpr std::string_view kUsages[] = {"any",
                                        "cert sign",
                                        "client auth",
                                        "code signing",
                                        "content commitment",
                                        "crl sign",
                                        "data encipherment",
                                        "decipher only",
                                        "digital signature",
                                        "email protection",
                                        "encipher only",
                                        "ipsec end system",
                                        "ipsec tunnel",
                                        "ipsec user",
                                        "key agreement",
                                        "key encipherment",
                                        "microsoft sgc",
                                        "netscape sgc",
                                        "ocsp signing",
                                        "s/mime",
                                        "server auth",
                                        "signing",
                                        "timestamping"};

void validate_signer_name(FieldErrors& errors, const FieldPath& path, std::string_view name) {
    if (name.empty()) return errors.required(path);
    auto parts = split(name, '/');
    if (parts.size() != 2)
        return errors.invalid(
            path, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'");
    for (std::string_view label : split(parts[0], '.'))
        for (const std::string& message : is_dns1123_label(label))
            errors.invalid(path, parts[0], "validating label " + go_quoted(label) + ": " + message);
    if (split(parts[0], '.').size() < 2)
        errors.invalid(path, parts[0], "should be a domain with at least two segments separated by dots");
    for (std::string_view label : split(parts[1], '.'))
        for (const std::string& message : is_dns1123_label(label))
            errors.invalid(path, parts[1], "validating label " + go_quoted(label) + ": " + message);
    if (name.size() > 571) errors.too_long(path, 571);
}

// "-----BEGIN CERTIFICATE REQUEST-----" in base64, however it is aligned at the start of the data.
bool is_request_block(std::string_view encoded) {
    return encoded.starts_with("LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNU");
}

void validate_conditions(FieldErrors& errors, const FieldPath& path, Value conditions, Value old) {
    std::set<std::string_view> seen;
    bool approved = false, denied = false;
    for (std::size_t i = 0; i < conditions.size(); ++i) {
        const FieldPath at = path.index(i);
        std::string_view type = conditions.at(i)["type"].as_string(),
                         status = conditions.at(i)["status"].as_string();
        if (type.empty()) errors.required(at.child("type"));
        bool decided = type == "Approved" || type == "Denied" || type == "Failed";
        if (decided && status != "True") {
            if (status.empty())
                errors.required(at.child("status"));
            else
                errors.not_supported(at.child("status"), status, {"True"});
        } else if (!decided) {
            if (status.empty())
                errors.required(at.child("status"));
            else
                one_of(errors, at.child("status"), status, {"False", "True", "Unknown"});
        }
        if (type == "Approved") approved = true;
        if (type == "Denied") denied = true;
        if (approved && denied && (type == "Approved" || type == "Denied"))
            errors.invalid(at.child("type"), type, "Approved and Denied conditions are mutually exclusive");
        if (!seen.insert(type).second) errors.duplicate(at.child("type"), type);
    }
    for (Value before : old.items()) {
        std::string_view type = before["type"].as_string();
        if ((type == "Approved" || type == "Denied" || type == "Failed") && !seen.contains(type))
            errors.forbidden(path, "updates may not remove a condition of type " + go_quoted(type));
    }
}

Value condition_of(Value conditions, std::string_view type) {
    for (Value condition : conditions.items())
        if (condition["type"].as_string() == type) return condition;
    return {};
}

}  // namespace

void check_certificate_request(FieldErrors& errors, const Request& request) {
    const FieldPath path("spec");
    const FieldPath status("status");
    Value spec = request.spec(), state = request.object["status"], old = request.old["status"];
    if (request.is_update()) validate_object_meta_update(errors, request);
    if (!request.is_update()) {
        validate_object_meta(errors, request,
                             [](std::string_view name, bool) { return is_path_segment(name); });
        Value body = spec["request"];
        if (!is_request_block(body.as_string()))
            errors.invalid(path.child("request"), body, "PEM block type must be CERTIFICATE REQUEST");
        if (spec["usages"].empty()) errors.required(path.child("usages"));
        std::set<std::string_view> seen;
        each(spec, "usages", path, [&](Value usage, const FieldPath& at) {
            std::string_view text = usage.as_string();
            if (std::find(std::begin(kUsages), std::end(kUsages), text) == std::end(kUsages))
                errors.not_supported(at, text, kUsages);
            if (!seen.insert(text).second) errors.duplicate(at, text);
        });
        std::string_view signer = spec["signerName"].as_string();
        if (signer == "kubernetes.io/legacy-unknown")
            errors.invalid(path.child("signerName"), signer,
                           "the legacy signerName is not allowed via this API version");
        else
            validate_signer_name(errors, path.child("signerName"), signer);
        if (Value seconds = spec["expirationSeconds"]; seconds.is_set() && seconds.as_integer() < 600)
            errors.invalid(path.child("expirationSeconds"), seconds.as_integer(),
                           "may not specify a duration less than 600 seconds (10 minutes)");
    }
    validate_conditions(errors, status.child("conditions"), state["conditions"], old["conditions"]);
    if (!request.is_update()) return;
    if (request.subresource != "status" && !same(state["certificate"], old["certificate"]))
        errors.forbidden(status.child("certificate"), "updates may not set certificate content");
    else if (!old["certificate"].empty() && !same(state["certificate"], old["certificate"]))
        errors.forbidden(status.child("certificate"), "updates may not change existing certificate content");
    if (request.subresource != "approval")
        for (std::string_view type : {"Approved", "Denied"}) {
            Value now = condition_of(state["conditions"], type),
                  before = condition_of(old["conditions"], type);
            if (now.is_set() && before.is_unset())
                errors.forbidden(status.child("conditions"),
                                 "updates may not add a condition of type " + go_quoted(type));
            else if (now.is_set() && !now.equals(before))
                errors.forbidden(status.child("conditions"),
                                 "updates may not modify a condition of type " + go_quoted(type));
        }
}

}  // namespace keelson::object::validation
