// How far the rollout of a workload is, in the words that scripts know.
#pragma once

#include <cstdint>
#include <string>

#include "cli/kube/object.h"
#include "cli/result.h"

namespace keelson::cli::kube {

struct RolloutStatus {
    std::string text;  // a line, with its end
    bool is_done = false;
};

// Of a deployment, daemon set or stateful set. A revision that is not the one asked for is a failure; 0: any.
Result<RolloutStatus> rollout_status(const std::string& kind, const Object& object, std::int64_t revision);

}  // namespace keelson::cli::kube
