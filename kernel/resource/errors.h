// The Statuses that verbs answer with, in Kubernetes' words.
#pragma once

#include <string>
#include <string_view>

#include "kernel/base/status.h"
#include "kernel/object/schema.h"

namespace keelson::resource {

// "pods", "deployments.apps".
[[nodiscard]] std::string qualified_name(const object::Resource& resource);

[[nodiscard]] base::Status not_found(const object::Resource& resource, std::string_view name);
[[nodiscard]] base::Status already_exists(const object::Resource& resource, std::string_view name);
// `resource` as in "pods" or "pods/binding".
[[nodiscard]] base::Status conflict(std::string_view group, std::string_view resource, std::string_view name,
                                    std::string_view why);
[[nodiscard]] base::Status modified_conflict(const object::Resource& resource, std::string_view name);
[[nodiscard]] base::Status forbidden(const object::Resource& resource, std::string_view name,
                                     std::string_view why);
[[nodiscard]] base::Status bad_request(std::string message);
[[nodiscard]] base::Status internal_error(std::string_view why);
[[nodiscard]] base::Status method_not_allowed();
[[nodiscard]] base::Status resource_not_served();
// An error of a subresource that later parts of the system will serve; never a made-up success.
[[nodiscard]] base::Status not_available(std::string message);

}  // namespace keelson::resource
