// The status of a Deployment: counts, conditions, whether it progresses. Pure functions.
#pragma once

#include <optional>

#include "kernel/base/clock.h"
#include "kernel/control/deployment_state.h"
#include "kernel/object/accessors/apps_v1.h"

namespace keelson::control {

// Counts and conditions as they are now, of what is in the status already; true when the status changed.
bool update_deployment_status(api_types::apps_v1::DeploymentStatus status, const DeploymentState& state,
                              base::WallTime now, object::Arena& arena);
// The same for a Deployment that is paused, resized or deleted: no word about progress.
bool update_deployment_counts(api_types::apps_v1::DeploymentStatus status, const DeploymentState& state,
                              base::WallTime now, object::Arena& arena);

// The Progressing condition, unless it says so already (the same status and reason); true when it was put
// there.
bool set_progress(api_types::apps_v1::DeploymentStatus status, std::string_view value,
                  std::string_view reason, std::string_view message, base::WallTime now,
                  object::Arena& arena);
// Says that a paused Deployment is paused, and that one that was is no longer; true when something changed.
bool update_pause_condition(api_types::apps_v1::DeploymentStatus status,
                            api_types::apps_v1::Deployment deployment, base::WallTime now,
                            object::Arena& arena);

// All pods wanted are there, of the present template, available, and no others.
[[nodiscard]] bool is_complete(api_types::apps_v1::Deployment deployment,
                               api_types::apps_v1::DeploymentStatus status);
// When a Deployment that does not progress is to be called stuck, if nothing happens before; none when that
// does not apply.
[[nodiscard]] std::optional<base::Duration> time_to_deadline(api_types::apps_v1::Deployment deployment,
                                                             base::WallTime now);

}  // namespace keelson::control
