// The pod that objects hold or make, and changes of it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/kube/object.h"
#include "cli/result.h"

namespace keelson::cli::kube {

// The spec of the pod, or of the template of pods; null when the object has neither.
const Object* find_pod_spec(const Object& object);
Object* find_pod_spec(Object& object);

// Containers and init containers whose names match the pattern: "*" and parts of names with it.
std::vector<Object*> matching_containers(Object& pod_spec, const std::string& pattern);

// The strategic merge patch that makes one of the other: lists of members that have names are merged by
// these and keep their order, other lists are replaced. Null when they are equal.
Object strategic_difference(const Object& before, const Object& after);

}  // namespace keelson::cli::kube
