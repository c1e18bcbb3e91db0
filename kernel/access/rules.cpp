#include "kernel/access/rules.h"

#include <algorithm>
#include <string>

namespace keelson::access {
namespace {

bool holds(std::initializer_list<std::string_view> list, std::string_view value) {
    return std::ranges::any_of(list, [value](std::string_view item) { return item == "*" || item == value; });
}

}  // namespace

bool allows(std::span<const Rule> rules, const Attributes& attributes) {
    std::string resource = attributes.resource;
    if (!attributes.subresource.empty()) resource += "/" + attributes.subresource;
    return std::ranges::any_of(rules, [&](const Rule& rule) {
        return holds(rule.verbs, attributes.verb) && holds(rule.groups, attributes.group) &&
               holds(rule.resources, resource);
    });
}

}  // namespace keelson::access
