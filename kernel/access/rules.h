// Rights that are written down in the program, in the form of RBAC's rules.
#pragma once

#include <initializer_list>
#include <span>
#include <string_view>

#include "kernel/access/identity.h"

namespace keelson::access {

// Resources are "pods" or "pods/status"; "*" is any, subresources included.
struct Rule {
    std::initializer_list<std::string_view> verbs;
    std::initializer_list<std::string_view> groups;
    std::initializer_list<std::string_view> resources;
};

// Whether one of the rules allows a request about a resource.
[[nodiscard]] bool allows(std::span<const Rule> rules, const Attributes& attributes);

}  // namespace keelson::access
