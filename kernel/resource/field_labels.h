// The fields that field selectors may name, and their values.
#pragma once

#include <string>
#include <string_view>

#include "kernel/base/result.h"
#include "kernel/object/schema.h"
#include "kernel/object/selector.h"
#include "kernel/object/value.h"

namespace keelson::resource {

// Fails with Reason::bad_request, worded as Kubernetes does for that kind, when the selector names other
// fields. Aliases ("spec.host") are brought into their proper form.
[[nodiscard]] base::Result<object::FieldSelector> parse_field_selector(const object::Resource& resource,
                                                                       std::string_view text);

// The text of a selectable field of an object of this resource.
[[nodiscard]] std::string field_value(const object::Resource& resource, object::Value object,
                                      std::string_view path);

}  // namespace keelson::resource
