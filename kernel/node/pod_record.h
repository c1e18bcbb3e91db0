// What the node knows of one pod beyond its object: its sandbox, its containers, what is under way.
//
// Lives on the node's executor. What is to be done follows from the pod and its record (pod_plan.h), and so
// does the status (pod_status.h).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/clock.h"
#include "kernel/client/informer.h"
#include "kernel/node/runtime.h"
#include "kernel/node/volumes.h"
#include "kernel/object/accessors/core_v1.h"

namespace keelson::node {

enum class ContainerRole : std::uint8_t { init, sidecar, main, ephemeral };

struct ContainerRecord {
    std::string name;
    ContainerRole role = ContainerRole::main;
    // The newest attempt and the one before, as the runtime has them.
    std::optional<Container> current;
    std::optional<Container> previous;
    // Ended attempts that the runtime has forgotten: they count as restarts all the same.
    std::int32_t forgotten_attempts = 0;
    // Why it does not run, when it does not: "ContainerCreating", "ImagePullBackOff".
    std::string waiting_reason;
    std::string waiting_message;
    // Of the image that it was made of: "docker.io/library/nginx@sha256:...".
    std::string image_reference;
    // What the runtime holds it to; none: not known, it was adopted.
    std::optional<ResourceLimits> limits;
    bool is_stopping = false;
    bool is_in_hook = false;  // postStart runs
    bool is_started = false;  // the startup probe has succeeded, or there is none
    bool is_ready = false;    // the readiness probe has succeeded, or there is none
    std::int32_t failed_hooks = 0;
    // Pause between an end and the next start, and when that may be.
    base::Duration backoff{};
    base::MonotonicTime not_before{};

    [[nodiscard]] bool is_running() const { return current && current->phase == ContainerPhase::running; }
    [[nodiscard]] bool has_exited() const { return current && current->phase == ContainerPhase::exited; }
    [[nodiscard]] std::int32_t next_attempt() const {
        return current ? current->attempt + 1 : forgotten_attempts;
    }
    // As the status counts.
    [[nodiscard]] std::int32_t restarts() const { return current ? current->attempt : forgotten_attempts; }
};

// Why a pod fails as a whole.
struct PodFailure {
    std::string reason;
    std::string message;
    std::optional<std::chrono::seconds> grace = std::nullopt;  // of its containers; none: the pod's own
    bool is_eviction = false;
};

// Why the node does not give a pod what it has been changed to: "Infeasible" for ever, "Deferred" for now.
struct ResizeObstacle {
    std::string reason;
    std::string message;
};

enum class PodStage : std::uint8_t {
    living,
    ending,   // its containers are being stopped
    ended,    // none runs any more; sandbox, volumes and addresses are given back
    cleared,  // nothing is left of it on the node
};

struct PodRecord {
    client::ObjectPointer pod;
    std::string uid;
    PodIdentity identity;    // of one that was found at the runtime
    bool is_orphan = false;  // found at the runtime, unknown to the API
    bool is_admitted = false;
    bool is_given_back = false;  // sandbox, addresses and volumes, after the end
    std::optional<PodFailure> failure;
    // Requests that the node has agreed to, as JSON by container; empty: nothing was looked at yet.
    std::map<std::string, std::string> agreed_requests;
    std::optional<ResizeObstacle> resize_obstacle;
    // With an obstacle: the pod as the node has agreed to it, which is what it counts for.
    client::ObjectPointer agreed_pod;
    PodStage stage = PodStage::living;
    // Of an ending: containers have this long from `ending_since`.
    std::optional<std::chrono::seconds> grace;
    base::MonotonicTime ending_since{};

    std::string sandbox_id;  // empty: none was made
    std::int32_t sandbox_attempt = 0;
    bool is_sandbox_ready = false;
    bool has_network = false;
    std::vector<std::string> addresses;
    std::optional<MountedVolumes> volumes;
    base::MonotonicTime volumes_due{};  // when they are to be brought up to date
    std::string volume_error;
    std::vector<ContainerRecord> containers;  // in the order of the pod: init, main, ephemeral

    [[nodiscard]] api_types::core_v1::Pod object() const { return api_types::core_v1::Pod(pod->root()); }
    [[nodiscard]] ContainerRecord* find(std::string_view name) {
        for (ContainerRecord& container : containers)
            if (container.name == name) return &container;
        return nullptr;
    }
    // One that was made and never started has nothing to be stopped.
    [[nodiscard]] bool has_running() const {
        for (const ContainerRecord& container : containers)
            if (container.is_running()) return true;
        return false;
    }
};

[[nodiscard]] PodIdentity identity_of(api_types::core_v1::Pod pod);
// The container of any of the three lists; an ephemeral one reads like the others. Unset when there is none.
[[nodiscard]] api_types::core_v1::Container container_of(api_types::core_v1::Pod pod, std::string_view name);
// What the pod's status says of that container; unset: nothing.
[[nodiscard]] api_types::core_v1::ContainerStatus container_status_of(api_types::core_v1::Pod pod,
                                                                      std::string_view name);
// Puts the pod's containers into the record; what is known of them stays.
void take_containers(PodRecord& record);
// A number that changes with what a container is made of, but for what may change while it runs.
[[nodiscard]] std::uint64_t hash_of(api_types::core_v1::Container container);

}  // namespace keelson::node
