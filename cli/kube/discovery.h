// What the server has: its types with their versions, short names, categories and subresources.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "cli/kube/api.h"

namespace keelson::cli::kube {

struct Resource {
    std::string group, version;  // the group of the core is empty
    std::string plural, singular, kind;
    bool is_namespaced = false;
    std::vector<std::string> verbs, short_names, categories, subresources;

    [[nodiscard]] std::string api_version() const;
    // "deployments.apps", "pods"
    [[nodiscard]] std::string type_text() const;
    // "deployment.apps", "pod": of the kind, as messages name objects
    [[nodiscard]] std::string kind_text() const;
    // "/apis/apps/v1/namespaces/x/deployments"; without a namespace, those of all of them
    [[nodiscard]] std::string path(const std::string& namespace_name) const;
    [[nodiscard]] std::string path(const std::string& namespace_name, const std::string& name) const;
    [[nodiscard]] bool can(std::string_view verb) const;
};

class Discovery {
  public:
    // One document for the core and one for all groups; servers that do not have them are asked group by
    // group.
    static Result<Discovery> load(Api& api);

    // The server's preferred versions come first.
    [[nodiscard]] const std::deque<Resource>& all() const { return resources_; }
    [[nodiscard]] const std::vector<std::string>& group_versions() const { return group_versions_; }
    // Whether it is the version of its type that is used when none is named.
    [[nodiscard]] bool is_preferred(const Resource& resource) const;

    // TYPE, TYPE.GROUP, TYPE.VERSION.GROUP, with plural, singular or short names, or kinds.
    [[nodiscard]] Result<const Resource*> find_type(const std::string& text) const;
    // The same, or a category such as "all".
    [[nodiscard]] Result<std::vector<const Resource*>> find_types(const std::string& text) const;
    // Null when there is none.
    [[nodiscard]] const Resource* find_kind(const std::string& api_version, const std::string& kind) const;

  private:
    friend struct DiscoveryReader;
    [[nodiscard]] const Resource* match(const std::string& name, const std::string& version,
                                        const std::string& group, bool has_group) const;

    std::deque<Resource> resources_;
    std::vector<std::string> group_versions_;
};

std::string lower_case(std::string text);

}  // namespace keelson::cli::kube
