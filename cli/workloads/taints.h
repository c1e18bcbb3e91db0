// Changes of the taints of a node.
#pragma once

#include <string>
#include <vector>

#include "cli/kube/object.h"
#include "cli/result.h"

namespace keelson::cli::kube {

struct Taint {
    std::string key, value, effect;
};

struct TaintChanges {
    std::vector<Taint> added;
    std::vector<Taint> removed;  // an empty effect: any
};

// KEY=VALUE:EFFECT, KEY:EFFECT, KEY:EFFECT- and KEY-
Result<TaintChanges> parse_taints(const std::vector<std::string>& words);

// The node's taints after the changes.
Result<Object> changed_taints(const Object& node, const TaintChanges& changes, bool overwrites);

}  // namespace keelson::cli::kube
