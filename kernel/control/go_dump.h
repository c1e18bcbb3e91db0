// The text of a typed value as Go programs print it for a hash: what Kubernetes derives the names of
// ReplicaSets and ControllerRevisions from. A pure function of the value and its type.
// Format: https://pkg.go.dev/github.com/davecgh/go-spew/spew#hdr-Custom_Formatter, verb %#v with sorted map
// keys, without methods, pointer addresses and capacities.
#pragma once

#include <string>

#include "kernel/object/schema.h"
#include "kernel/object/value.h"

namespace keelson::control {

// `value` in canonical form, as the API stores it. Types that a pod template is made of; a member that the
// type does not have is left out. Empty lists and maps are nil ones, as they are in objects that a Go program
// read from the API.
[[nodiscard]] std::string go_dump(const object::Type& type, object::Value value);

}  // namespace keelson::control
