// What the scheduler writes: bindings, the condition of pods that do not fit, room made for others, volumes.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernel/base/clock.h"
#include "kernel/client/client.h"
#include "kernel/client/informer.h"
#include "kernel/scheduling/pod_info.h"

namespace keelson::scheduling {

[[nodiscard]] base::Task<base::Result<void>> write_binding(client::Client& client, PodPointer pod,
                                                           std::string node);

// The condition PodScheduled=False and the node on which room is being made. A nomination that is not given
// stays.
struct Refusal {
    std::string reason;  // "Unschedulable", "SchedulerError"
    std::string message;
    std::optional<std::string> nominated_node;
};
// Writes only what differs from `pod`, the pod as the informer has it.
[[nodiscard]] base::Task<base::Result<void>> write_refusal(client::Client& client, client::ObjectPointer pod,
                                                           Refusal refusal, base::WallTime now);

// Marks the pod as disturbed by preemption and deletes it, with its own grace. One that is gone is no
// failure.
[[nodiscard]] base::Task<base::Result<void>> evict(client::Client& client, client::ObjectPointer victim,
                                                   std::string scheduler_name, base::WallTime now);

// Takes back the nomination of a pod that has to look elsewhere.
[[nodiscard]] base::Task<base::Result<void>> clear_nomination(client::Client& client,
                                                              client::ObjectPointer pod);

// Keeps the volume for the claim ("namespace/name", uid); the volume controller does the rest.
struct VolumeChoice {
    client::ObjectKey claim;
    std::string claim_uid;
    std::string volume;  // empty: one is to be made
};
[[nodiscard]] base::Task<base::Result<void>> write_volume_choice(client::Client& client, VolumeChoice choice,
                                                                 std::string node);

}  // namespace keelson::scheduling
