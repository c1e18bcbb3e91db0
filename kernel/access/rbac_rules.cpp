#include "kernel/access/rbac_rules.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

namespace keelson::access {
namespace {

using Texts = std::vector<std::string>;

bool holds(const Texts& list, std::string_view value) {
    return std::ranges::find(list, value) != list.end();
}

bool holds_or_any(const Texts& list, std::string_view value) {
    return std::ranges::any_of(list, [&](const std::string& item) { return item == "*" || item == value; });
}

// "pods/scale" is one of "*", "pods/scale" and "*/scale".
bool covers_resource(const Texts& list, std::string_view resource) {
    if (holds_or_any(list, resource)) return true;
    const auto slash = resource.find('/');
    if (slash == std::string_view::npos) return false;
    return holds(list, "*" + std::string(resource.substr(slash)));
}

bool covers_path(const Texts& list, std::string_view path) {
    return std::ranges::any_of(list, [&](std::string_view item) {
        if (item == path) return true;
        if (!item.ends_with('*')) return false;
        while (item.ends_with('*')) item.remove_suffix(1);
        return path.starts_with(item);
    });
}

// Of a wanted rule that has been broken down.
bool covers(const PolicyRule& held, const PolicyRule& single) {
    if (!holds_or_any(held.verbs, single.verbs.front())) return false;
    if (!single.paths.empty()) return covers_path(held.paths, single.paths.front());
    if (!holds_or_any(held.groups, single.groups.front())) return false;
    if (!covers_resource(held.resources, single.resources.front())) return false;
    if (held.resource_names.empty()) return true;
    return !single.resource_names.empty() && holds(held.resource_names, single.resource_names.front());
}

std::vector<PolicyRule> broken_down(const PolicyRule& rule) {
    std::vector<PolicyRule> singles;
    const auto add_names = [&](const PolicyRule& single) {
        if (rule.resource_names.empty()) singles.push_back(single);
        for (const std::string& name : rule.resource_names) {
            singles.push_back(single);
            singles.back().resource_names = {name};
        }
    };
    for (const std::string& group : rule.groups)
        for (const std::string& resource : rule.resources)
            for (const std::string& verb : rule.verbs)
                add_names({.verbs = {verb},
                           .groups = {group},
                           .resources = {resource},
                           .resource_names = {},
                           .paths = {}});
    for (const std::string& path : rule.paths)
        for (const std::string& verb : rule.verbs)
            singles.push_back(
                {.verbs = {verb}, .groups = {}, .resources = {}, .resource_names = {}, .paths = {path}});
    return singles;
}

// Rules that differ in the verb alone become one.
std::vector<PolicyRule> compacted(const std::vector<PolicyRule>& singles) {
    std::vector<PolicyRule> result;
    std::map<std::tuple<Texts, Texts, Texts>, std::size_t> places;
    for (const PolicyRule& single : singles) {
        if (!single.paths.empty()) {
            result.push_back(single);
            continue;
        }
        const auto [place, is_new] =
            places.try_emplace({single.groups, single.resources, single.resource_names}, result.size());
        if (is_new)
            result.push_back(single);
        else
            result[place->second].verbs.push_back(single.verbs.front());
    }
    return result;
}

std::string quoted(std::string_view text) {
    static constexpr std::string_view digits = "0123456789abcdef";
    std::string result = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            result.push_back('\\');
            result.push_back(c);
        } else if (byte < 0x20 || byte == 0x7f) {
            result += "\\x";
            result.push_back(digits[byte >> 4]);
            result.push_back(digits[byte & 15]);
        } else {
            result.push_back(c);
        }
    }
    return result + '"';
}

std::string quoted(const Texts& list) {
    std::string result;
    for (const std::string& item : list) result += (result.empty() ? "" : " ") + quoted(item);
    return "[" + result + "]";
}

// {APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}
std::string text_of(const PolicyRule& rule) {
    std::string result;
    const auto add = [&](std::string_view name, const Texts& list) {
        if (list.empty()) return;
        if (!result.empty()) result += ", ";
        result += std::string(name) + ":" + quoted(list);
    };
    add("APIGroups", rule.groups);
    add("Resources", rule.resources);
    add("NonResourceURLs", rule.paths);
    add("ResourceNames", rule.resource_names);
    add("Verbs", rule.verbs);
    return "{" + result + "}";
}

}  // namespace

bool allows(const PolicyRule& rule, const Attributes& attributes) {
    if (!holds_or_any(rule.verbs, attributes.verb)) return false;
    if (!attributes.is_resource_request) return covers_path(rule.paths, attributes.path);
    if (!holds_or_any(rule.groups, attributes.group)) return false;
    if (!rule.resource_names.empty() && !holds(rule.resource_names, attributes.name)) return false;
    if (attributes.subresource.empty()) return holds_or_any(rule.resources, attributes.resource);
    return covers_resource(rule.resources, attributes.resource + "/" + attributes.subresource);
}

std::vector<PolicyRule> missing_rules(const std::vector<PolicyRule>& held,
                                      const std::vector<PolicyRule>& wanted) {
    std::vector<PolicyRule> missing;
    for (const PolicyRule& rule : wanted)
        for (PolicyRule& single : broken_down(rule))
            if (std::ranges::none_of(held, [&](const PolicyRule& one) { return covers(one, single); }))
                missing.push_back(std::move(single));
    return missing;
}

std::string escalation_problem(const Identity& user, const UserRules& held,
                               const std::vector<PolicyRule>& wanted) {
    const std::vector<PolicyRule> missing = missing_rules(held.rules, wanted);
    if (missing.empty()) return {};
    std::set<std::string> lines;
    for (const PolicyRule& rule : compacted(missing)) lines.insert(text_of(rule));
    std::string message = "user " + quoted(user.user) + " (groups=" + quoted(user.groups) +
                          ") is attempting to grant RBAC permissions not currently held:";
    for (const std::string& line : lines) message += "\n" + line;
    if (!held.problems.empty()) message += "; resolution errors: [" + join_problems(held.problems) + "]";
    return message;
}

std::vector<PolicyRule> full_authority() {
    return {{.verbs = {"*"}, .groups = {"*"}, .resources = {"*"}, .resource_names = {}, .paths = {}},
            {.verbs = {"*"}, .groups = {}, .resources = {}, .resource_names = {}, .paths = {"*"}}};
}

std::string join_problems(const std::vector<std::string>& problems) {
    std::vector<std::string_view> distinct;
    for (const std::string& problem : problems)
        if (std::ranges::find(distinct, problem) == distinct.end()) distinct.push_back(problem);
    if (distinct.size() == 1) return std::string(distinct.front());
    std::string result;
    for (const std::string_view problem : distinct) {
        if (!result.empty()) result += ", ";
        result += problem;
    }
    return "[" + result + "]";
}

}  // namespace keelson::access
