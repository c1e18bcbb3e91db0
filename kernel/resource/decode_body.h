// From an untyped request body to a typed object with defaults.
#pragma once

#include <string_view>

#include "kernel/base/result.h"
#include "kernel/resource/call.h"

namespace keelson::resource {

// The kind that an endpoint expects.
struct ExpectedKind {
    const object::Type* type = nullptr;
    std::string_view group;
    std::string_view version;
    std::string_view kind;
};

[[nodiscard]] ExpectedKind expected_kind(const Call& call);

// Checks kind and apiVersion (missing ones are taken from the endpoint), brings the body into canonical form
// with defaults, and handles unknown and duplicate fields as the options say (warnings go to call.warnings).
[[nodiscard]] base::Result<object::Value> decode_body(const ExpectedKind& expected, const Body& body,
                                                      FieldValidation validation, Call& call,
                                                      object::Arena& arena);

// The warnings or the strict failure for fields that are not part of the type.
[[nodiscard]] base::Result<void> report_fields(std::vector<std::string> problems, FieldValidation validation,
                                               Call& call);

// Canonical form with kind and apiVersion set and the defaults of the version and of storage applied.
[[nodiscard]] object::Value with_defaults(const object::Resource* resource, const ExpectedKind& expected,
                                          object::Value object, object::Arena& arena);

// "group/version", or "v1" for the empty group.
[[nodiscard]] std::string group_version(std::string_view group, std::string_view version);

}  // namespace keelson::resource
