// Whether a node takes new pods.
#pragma once

#include "cli/kube/printing.h"
#include "cli/kube/resources.h"

namespace keelson::cli::kube {

// Changes the node if it is not so already, and tells either way: "node/n1 cordoned".
Result<void> set_cordon(Api& api, Item& node, bool is_cordoned, DryRun dry_run);

}  // namespace keelson::cli::kube
