// The variables that tell a container about the services of its namespace
// (https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/client/informer.h"

namespace keelson::node {

// Services without an address make none. default/kubernetes always does; those of the pod's own namespace
// when it has service links.
[[nodiscard]] std::map<std::string, std::string> service_variables(
    const std::vector<client::ObjectPointer>& services, std::string_view namespace_name,
    bool has_service_links);

}  // namespace keelson::node
