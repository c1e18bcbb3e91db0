// Which pods of a node may go when it is drained, and why the others may not.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/kube/object.h"

namespace keelson::cli::kube {

struct DrainRules {
    bool forces = false;                   // --force
    bool ignores_daemon_sets = false;      // --ignore-daemonsets
    bool deletes_empty_dirs = false;       // --delete-emptydir-data
    std::int64_t skips_deleted_after = 0;  // seconds; 0: pods that are being deleted are waited for
    std::int64_t now = 0;                  // seconds since 1970
};

struct DrainPlan {
    std::vector<Object> pods;           // that go
    std::vector<std::string> warnings;  // "ignoring DaemonSet-managed Pods: a/b, c/d"
    std::vector<std::string> problems;  // why the node cannot be drained
};

DrainPlan plan_drain(const std::vector<Object>& pods, const DrainRules& rules);

}  // namespace keelson::cli::kube
