// The pods that "keelctl debug" makes: a pod with one container more, a copy of it, a pod on a node.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/kube/object.h"
#include "cli/result.h"

namespace keelson::cli::kube {

struct DebugWish {
    std::string image, pull_policy;
    std::string container;  // its name; empty: one is made up
    std::string target;     // whose processes an ephemeral container sees
    std::string profile = "general";
    Object custom;  // a part of a container that is merged over it; null: none
    std::vector<std::pair<std::string, std::string>> variables;
    std::vector<std::string> arguments;
    bool are_arguments_only = false;  // they are no command
    bool has_input = false;
    bool has_terminal = false;

    // Of copies.
    std::string copy_name;
    std::map<std::string, std::string> images;  // of the copied containers; "*": of all others
    std::optional<bool> shares_processes;       // what the user has said
    bool is_same_node = false;
    bool keeps_labels = false;
    bool keeps_annotations = false;
    bool keeps_liveness = false;
    bool keeps_readiness = false;
    bool keeps_startup = false;
    bool keeps_init_containers = true;
};

bool is_debug_profile(const std::string& name);

// Whether a container of any kind of the pod has the name.
bool has_container(const Object& pod, const std::string& name);

// Each returns a whole pod; `name` is that of the container that debugs.
Result<Object> with_ephemeral_container(const DebugWish& wish, const Object& pod, const std::string& name);
Result<Object> debug_pod_on_node(const DebugWish& wish, const std::string& node, const std::string& pod_name,
                                 const std::string& name);

struct DebugCopy {
    Object pod;
    std::string container;  // empty: none debugs, images were changed only
};
// `made_up` is used when the wish names no container.
Result<DebugCopy> debug_copy(const DebugWish& wish, const Object& pod, const std::string& made_up);
// Whether the copy gets a container, which needs a name when the wish has none.
bool copy_needs_name(const DebugWish& wish);

}  // namespace keelson::cli::kube
