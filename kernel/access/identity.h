// Who asks, and for what: the two things that every decision of this room is about. Plain values, any thread.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace keelson::access {

inline constexpr std::string_view masters_group = "system:masters";
inline constexpr std::string_view authenticated_group = "system:authenticated";
inline constexpr std::string_view unauthenticated_group = "system:unauthenticated";
inline constexpr std::string_view nodes_group = "system:nodes";
inline constexpr std::string_view bootstrappers_group = "system:bootstrappers";
inline constexpr std::string_view service_accounts_group = "system:serviceaccounts";
inline constexpr std::string_view service_account_user_prefix = "system:serviceaccount:";
inline constexpr std::string_view anonymous_user = "system:anonymous";
inline constexpr std::string_view api_server_user = "system:apiserver";
inline constexpr std::string_view controller_manager_user = "system:kube-controller-manager";
inline constexpr std::string_view scheduler_user = "system:kube-scheduler";
inline constexpr std::string_view node_user_prefix = "system:node:";

struct Identity {
    std::string user;
    std::string uid;
    std::vector<std::string> groups;
    std::vector<std::pair<std::string, std::vector<std::string>>> extra;  // sorted by key
    // Whom the token was meant for; empty: the API server.
    std::vector<std::string> audiences = {};

    [[nodiscard]] bool in_group(std::string_view group) const {
        return std::ranges::find(groups, group) != groups.end();
    }
    bool operator==(const Identity&) const = default;
};

// The kernel's own callers. They never pass authentication: in-process clients carry one of these.
[[nodiscard]] Identity api_server_identity();                      // system:apiserver, in system:masters
[[nodiscard]] Identity controller_manager_identity();              // system:kube-controller-manager
[[nodiscard]] Identity scheduler_identity();                       // system:kube-scheduler
[[nodiscard]] Identity node_identity(std::string_view node_name);  // system:node:NAME in system:nodes
[[nodiscard]] Identity anonymous_identity();

// What is asked, as the authorizers see it; the fields follow Kubernetes' authorizer.Attributes.
struct Attributes {
    Identity user;
    std::string verb;
    bool is_resource_request = false;
    std::string group;
    std::string version;
    std::string namespace_name;
    std::string resource;
    std::string subresource;
    std::string name;
    std::string path;            // of non-resource requests
    std::string field_selector;  // of a list or watch, as it came
};

}  // namespace keelson::access
