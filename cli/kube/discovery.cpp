#include "cli/kube/discovery.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace keelson::cli::kube {
namespace {

constexpr const char* kAggregated =
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

std::vector<std::string> texts(const Object& list) {
    std::vector<std::string> all;
    if (list.is_array())
        for (const Object& one : list)
            if (one.is_string()) all.push_back(one.get<std::string>());
    return all;
}

bool has(const std::vector<std::string>& list, std::string_view text) {
    return std::find(list.begin(), list.end(), text) != list.end();
}

}  // namespace

std::string lower_case(std::string text) {
    for (char& letter : text)
        if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
    return text;
}

std::string Resource::api_version() const {
    return group.empty() ? version : group + "/" + version;
}

std::string Resource::type_text() const {
    return group.empty() ? plural : plural + "." + group;
}

std::string Resource::kind_text() const {
    return lower_case(kind) + (group.empty() ? "" : "." + group);
}

std::string Resource::path(const std::string& namespace_name) const {
    std::string text = group.empty() ? "/api/" + version : "/apis/" + group + "/" + version;
    if (is_namespaced && !namespace_name.empty()) text += "/namespaces/" + encode_segment(namespace_name);
    return text + "/" + plural;
}

std::string Resource::path(const std::string& namespace_name, const std::string& name) const {
    return path(namespace_name) + "/" + encode_segment(name);
}

bool Resource::can(std::string_view verb) const {
    return has(verbs, verb);
}

struct DiscoveryReader {
    Api& api;
    Discovery& discovery;

    void add_aggregated_version(const std::string& group, const Object& version) {
        const std::string name = text_at(version, "version");
        discovery.group_versions_.push_back(group.empty() ? name : group + "/" + name);
        if (!member(version, "resources").is_array()) return;
        for (const Object& entry : member(version, "resources")) {
            Resource resource{.group = group,
                              .version = name,
                              .plural = text_at(entry, "resource"),
                              .singular = text_at(entry, "singularResource"),
                              .kind = text_at(member(entry, "responseKind"), "kind"),
                              .is_namespaced = text_at(entry, "scope") == "Namespaced",
                              .verbs = texts(member(entry, "verbs")),
                              .short_names = texts(member(entry, "shortNames")),
                              .categories = texts(member(entry, "categories"))};
            for (const Object& subresource : member(entry, "subresources"))
                resource.subresources.push_back(text_at(subresource, "subresource"));
            discovery.resources_.push_back(std::move(resource));
        }
    }

    void add_aggregated(const Object& list) {
        if (!member(list, "items").is_array()) return;
        for (const Object& group : member(list, "items")) {
            if (!member(group, "versions").is_array()) continue;
            for (const Object& version : member(group, "versions"))
                add_aggregated_version(name_of(group), version);
        }
    }

    void add_resource(const std::string& group, const std::string& version, const Object& entry) {
        const std::string name = text_at(entry, "name");
        const std::size_t slash = name.find('/');
        if (slash != std::string::npos) {
            for (Resource& parent : discovery.resources_)
                if (parent.group == group && parent.version == version &&
                    parent.plural == name.substr(0, slash))
                    parent.subresources.push_back(name.substr(slash + 1));
            return;
        }
        discovery.resources_.push_back({.group = group,
                                        .version = version,
                                        .plural = name,
                                        .singular = text_at(entry, "singularName"),
                                        .kind = text_at(entry, "kind"),
                                        .is_namespaced = member(entry, "namespaced") == Object(true),
                                        .verbs = texts(member(entry, "verbs")),
                                        .short_names = texts(member(entry, "shortNames")),
                                        .categories = texts(member(entry, "categories"))});
    }

    // A version that does not answer is left out, as the others can be used.
    void add_version(const std::string& path, const std::string& group, const std::string& version) {
        discovery.group_versions_.push_back(group.empty() ? version : group + "/" + version);
        const auto list = api.ask({.path = path});
        if (!list || !member(*list, "resources").is_array()) return;
        for (const Object& entry : member(*list, "resources")) add_resource(group, version, entry);
    }

    void add_group(const Object& group) {
        const std::string name = text_at(group, "name");
        const std::string preferred = text_at(member(group, "preferredVersion"), "version");
        std::vector<std::string> versions{preferred};
        for (const Object& version : member(group, "versions"))
            if (text_at(version, "version") != preferred) versions.push_back(text_at(version, "version"));
        for (const std::string& version : versions)
            add_version("/apis/" + name + "/" + version, name, version);
    }

    Result<void> read(const std::string& path) {
        const auto answer = api.ask({.path = path, .accept = kAggregated});
        if (!answer) return pass_on(answer);
        if (text_at(*answer, "kind") == "APIGroupDiscoveryList")
            add_aggregated(*answer);
        else if (path == "/api")
            for (const std::string& version : texts(member(*answer, "versions")))
                add_version("/api/" + version, "", version);
        else if (member(*answer, "groups").is_array())
            for (const Object& group : member(*answer, "groups")) add_group(group);
        return {};
    }
};

Result<Discovery> Discovery::load(Api& api) {
    Discovery discovery;
    DiscoveryReader reader{api, discovery};
    for (const char* path : {"/api", "/apis"})
        if (const auto done = reader.read(path); !done) return pass_on(done);
    return discovery;
}

bool Discovery::is_preferred(const Resource& resource) const {
    for (const Resource& one : resources_)
        if (one.group == resource.group && one.plural == resource.plural) return &one == &resource;
    return false;
}

const Resource* Discovery::match(const std::string& name, const std::string& version,
                                 const std::string& group, bool has_group) const {
    const auto is_in = [&](const Resource& one, bool whole_group) {
        if (!version.empty() && one.version != version) return false;
        if (!has_group) return true;
        return whole_group ? one.group == group : one.group.starts_with(group);
    };
    const auto find = [&](bool whole_group, auto is_named) -> const Resource* {
        for (const Resource& one : resources_)
            if (is_in(one, whole_group) && is_named(one)) return &one;
        return nullptr;
    };
    const std::string lower = lower_case(name);
    const auto by_name = [&](const Resource& one) { return one.plural == lower || one.singular == lower; };
    const auto by_short_name = [&](const Resource& one) { return has(one.short_names, lower); };
    const auto by_kind = [&](const Resource& one) { return lower_case(one.kind) == lower; };
    for (const bool whole_group : {true, false}) {
        if (const Resource* found = find(whole_group, by_name)) return found;
        if (const Resource* found = find(whole_group, by_short_name)) return found;
        if (const Resource* found = find(whole_group, by_kind)) return found;
    }
    return nullptr;
}

Result<const Resource*> Discovery::find_type(const std::string& text) const {
    const std::size_t first = text.find('.');
    const std::string name = text.substr(0, first);
    if (first == std::string::npos) {
        if (const Resource* found = match(name, "", "", false)) return found;
    } else {
        const std::size_t second = text.find('.', first + 1);
        if (second != std::string::npos)
            if (const Resource* found =
                    match(name, text.substr(first + 1, second - first - 1), text.substr(second + 1), true))
                return found;
        if (const Resource* found = match(name, "", text.substr(first + 1), true)) return found;
    }
    return fail("the server doesn't have a resource type \"" + name + "\"");
}

Result<std::vector<const Resource*>> Discovery::find_types(const std::string& text) const {
    std::vector<const Resource*> found;
    for (const Resource& one : resources_)
        if (has(one.categories, text) && is_preferred(one)) found.push_back(&one);
    if (!found.empty()) return found;
    const auto one = find_type(text);
    if (!one) return pass_on(one);
    found.push_back(*one);
    return found;
}

const Resource* Discovery::find_kind(const std::string& api_version, const std::string& kind) const {
    for (const Resource& one : resources_)
        if (one.kind == kind && one.api_version() == api_version) return &one;
    return nullptr;
}

}  // namespace keelson::cli::kube
