// Which pod and which of its containers a line means.
#pragma once

#include <string>
#include <vector>

#include "cli/kube/session.h"
#include "cli/result.h"

namespace keelson::cli::streams {

using kube::Object;

// POD or TYPE/NAME. `object` is what was named; `pods` are its pods, the best first: a pod alone is its own.
struct NamedPods {
    Object object;
    std::vector<Object> pods;
};
Result<NamedPods> find_pods(kube::Session& session, const std::string& text);

// The selector of the pods that a workload or a service stands for; empty when it has none.
std::string pod_selector(const Object& object);
// The best to talk to first: those that run, are ready, and are so for long.
void sort_pods(std::vector<Object>& pods);

// Names of the init containers, containers and ephemeral containers, in this order.
std::vector<std::string> all_containers(const Object& pod);
// The one that is asked for, else the pod's default, else the first. Tells on standard error of a choice that
// the user may not expect unless `is_quiet`. Whether the pod has the one that is asked for is left to the
// server.
Result<std::string> pick_container(const Object& pod, const std::string& wanted, bool is_quiet);

}  // namespace keelson::cli::streams
