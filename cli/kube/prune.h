// apply --prune: deletes what was applied before and is not in the files any more.
#pragma once

#include <string>
#include <vector>

#include "cli/kube/resources.h"

namespace keelson::cli::kube {

struct PruneWish {
    std::string labels;
    bool all = false;
    std::vector<std::string> allowed;  // "core/v1/ConfigMap"; empty: the usual kinds
    bool is_dry_on_client = false;
    bool is_dry_on_server = false;
    bool waits = false;
};

// `applied` is what is to stay, with its uids. Only objects that an apply has made are touched.
Result<void> prune(Session& session, const PruneWish& wish, const std::vector<Item>& applied);

}  // namespace keelson::cli::kube
