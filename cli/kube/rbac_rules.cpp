#include "cli/kube/rbac_rules.h"

#include <algorithm>

namespace keelson::cli::kube {
namespace {

using Texts = std::vector<std::string>;

constexpr const char* kAccessGroup = "rbac.authorization.k8s.io";

Texts texts_of(const Object& rule, const char* name) {
    Texts texts;
    for (const Object& one : member(rule, name))
        if (one.is_string()) texts.push_back(one.get<std::string>());
    return texts;
}

bool has(const Texts& texts, const std::string& text) {
    return std::find(texts.begin(), texts.end(), text) != texts.end();
}

template <typename Covers>
bool all_covered(const Texts& wanted, const Covers& covers) {
    return std::all_of(wanted.begin(), wanted.end(), covers);
}

bool covers_resource(const Texts& owned, const std::string& resource) {
    if (has(owned, "*") || has(owned, resource)) return true;
    const std::size_t slash = resource.find('/');
    return slash != std::string::npos && has(owned, "*" + resource.substr(slash));
}

// "/healthz/*" covers what begins so.
bool covers_url(const Texts& owned, const std::string& url) {
    return std::any_of(owned.begin(), owned.end(), [&url](const std::string& one) {
        return one == url || (one.ends_with('*') && url.starts_with(one.substr(0, one.size() - 1)));
    });
}

bool covers(const AccessRule& owned, const AccessRule& wanted) {
    const auto is_among = [](const Texts& list) {
        return [&list](const std::string& text) { return has(list, "*") || has(list, text); };
    };
    const bool has_names = owned.names.empty() ||
                           (!wanted.names.empty() && all_covered(wanted.names, [&](const std::string& name) {
                               return has(owned.names, name);
                           }));
    return has_names && all_covered(wanted.verbs, is_among(owned.verbs)) &&
           all_covered(wanted.groups, is_among(owned.groups)) &&
           all_covered(wanted.resources,
                       [&](const std::string& one) { return covers_resource(owned.resources, one); }) &&
           all_covered(wanted.urls, [&](const std::string& one) { return covers_url(owned.urls, one); });
}

// One verb of one resource, or of one URL, each.
std::vector<AccessRule> single_rules(const AccessRule& rule) {
    std::vector<AccessRule> singles;
    for (const std::string& group : rule.groups)
        for (const std::string& resource : rule.resources)
            for (const std::string& verb : rule.verbs) {
                if (rule.names.empty()) singles.push_back({{verb}, {group}, {resource}, {}, {}});
                for (const std::string& name : rule.names)
                    singles.push_back({{verb}, {group}, {resource}, {name}, {}});
            }
    for (const std::string& url : rule.urls)
        for (const std::string& verb : rule.verbs) singles.push_back({{verb}, {}, {}, {}, {url}});
    return singles;
}

std::string bracketed(const Texts& texts) {
    std::string text;
    for (const std::string& one : texts) text += (text.empty() ? "" : " ") + one;
    return "[" + text + "]";
}

std::string group_of(const Object& subject) {
    const std::string group = text_at(subject, "apiGroup");
    return group.empty() && text_at(subject, "kind") != "ServiceAccount" ? kAccessGroup : group;
}

}  // namespace

AccessRule AccessRule::of(const Object& rule) {
    return {texts_of(rule, "verbs"), texts_of(rule, "apiGroups"), texts_of(rule, "resources"),
            texts_of(rule, "resourceNames"), texts_of(rule, "nonResourceURLs")};
}

Object AccessRule::object() const {
    Object rule{{"verbs", verbs}};
    if (!groups.empty()) rule["apiGroups"] = groups;
    if (!resources.empty()) rule["resources"] = resources;
    if (!names.empty()) rule["resourceNames"] = names;
    if (!urls.empty()) rule["nonResourceURLs"] = urls;
    return rule;
}

std::string AccessRule::text() const {
    return "{Verbs:" + bracketed(verbs) + " APIGroups:" + bracketed(groups) +
           " Resources:" + bracketed(resources) + " ResourceNames:" + bracketed(names) +
           " NonResourceURLs:" + bracketed(urls) + "}";
}

std::vector<AccessRule> rules_beyond(const Object& rules, const Object& owned) {
    std::vector<AccessRule> beyond;
    std::vector<AccessRule> there;
    for (const Object& rule : owned) there.push_back(AccessRule::of(rule));
    for (const Object& rule : rules)
        for (AccessRule& single : single_rules(AccessRule::of(rule))) {
            const bool is_covered = std::any_of(there.begin(), there.end(),
                                                [&](const AccessRule& one) { return covers(one, single); });
            if (!is_covered && std::find(beyond.begin(), beyond.end(), single) == beyond.end())
                beyond.push_back(std::move(single));
        }
    return beyond;
}

std::vector<Object> subjects_beyond(const Object& subjects, const Object& others) {
    std::vector<Object> beyond;
    for (const Object& subject : subjects) {
        const bool is_there = std::any_of(others.begin(), others.end(), [&](const Object& other) {
            return subject_text(other) == subject_text(subject);
        });
        if (!is_there) beyond.push_back(subject);
    }
    return beyond;
}

std::string subject_text(const Object& subject) {
    return "{Kind:" + text_at(subject, "kind") + " APIGroup:" + group_of(subject) +
           " Name:" + text_at(subject, "name") + " Namespace:" + text_at(subject, "namespace") + "}";
}

}  // namespace keelson::cli::kube
