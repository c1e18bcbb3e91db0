// The revisions of a workload: replica sets of deployments, controller revisions of the other sets.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/kube/resources.h"

namespace keelson::cli::kube {

struct Revision {
    std::int64_t number = 0;
    std::string cause;    // why it was made, as its annotation says
    Object pod_template;  // metadata and spec
    Object source;        // the replica set, or the controller revision
};

// The oldest first.
Result<std::vector<Revision>> read_history(Api& api, const Item& item);
// By its number; 0: the one before the last.
Result<Revision> pick_revision(const std::vector<Revision>& history, const Item& item, std::int64_t number);

}  // namespace keelson::cli::kube
