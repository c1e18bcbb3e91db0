// The environment of a container as Kubernetes makes it: services, then envFrom, then env, later ones over
// earlier ones.
#pragma once

#include <map>
#include <string>

#include "kernel/node/container_settings.h"
#include "kernel/node/pod_references.h"

namespace keelson::node {

using Environment = std::map<std::string, std::string>;

// Failures in Kubernetes' words: `configmap "x" not found`, `couldn't find key k in Secret ns/s`.
[[nodiscard]] base::Task<base::Result<Environment>> environment_of(const ContainerSurroundings& surroundings,
                                                                   const PodFacts& facts,
                                                                   ObjectCache& objects);

}  // namespace keelson::node
