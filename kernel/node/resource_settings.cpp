// Resources of containers and pods as the kubelet turns them into weights, quotas and limits.
#include <algorithm>

#include "kernel/node/container_settings.h"
#include "kernel/object/accessors/core_v1.h"
#include "kernel/object/accessors/meta_v1.h"
#include "kernel/object/quantity.h"
#include "kernel/resource/strategy.h"

namespace keelson::node {
namespace {

namespace core_v1 = api_types::core_v1;
using Amounts = object::MapView<std::string_view>;

constexpr std::int64_t kPeriodUs = 100'000;
constexpr std::int64_t kLeastQuotaUs = 1'000;
constexpr std::int64_t kLeastShares = 2;
constexpr std::int64_t kMostShares = 262'144;
constexpr std::int64_t kGuaranteedScore = -997;
constexpr std::int64_t kBestEffortScore = 1'000;
constexpr std::int64_t kNodeCriticalPriority = 2'000'001'000;

// Zero: not given.
struct Amount {
    std::int64_t milli_cpu = 0;
    std::int64_t memory_bytes = 0;

    void add(const Amount& more) {
        milli_cpu += more.milli_cpu;
        memory_bytes += more.memory_bytes;
    }
    void raise_to(const Amount& least) {
        milli_cpu = std::max(milli_cpu, least.milli_cpu);
        memory_bytes = std::max(memory_bytes, least.memory_bytes);
    }
    // Where the other one says something it is taken.
    void replace_by(const Amount& other) {
        if (other.milli_cpu != 0) milli_cpu = other.milli_cpu;
        if (other.memory_bytes != 0) memory_bytes = other.memory_bytes;
    }
};

Amount amount_of(Amounts amounts) {
    Amount amount;
    if (const auto cpu = object::Quantity::parse(amounts["cpu"])) amount.milli_cpu = cpu->milli_value();
    if (const auto memory = object::Quantity::parse(amounts["memory"])) amount.memory_bytes = memory->value();
    return amount;
}

bool is_sidecar(core_v1::Container container) {
    return container.restart_policy() == "Always";
}

// Containers and sidecars together, or the largest init container with the sidecars started before it.
template <typename AmountOf>
Amount sum_of_containers(core_v1::PodSpec spec, AmountOf amount_of_container) {
    Amount total, sidecars, largest_init;
    for (const core_v1::Container container : spec.containers()) total.add(amount_of_container(container));
    for (const core_v1::Container container : spec.init_containers()) {
        Amount one = amount_of_container(container);
        if (is_sidecar(container)) {
            sidecars.add(one);
            total.add(one);
            one = sidecars;
        } else {
            one.add(sidecars);
        }
        largest_init.raise_to(one);
    }
    total.raise_to(largest_init);
    return total;
}

Amount requests_of(core_v1::Container container) {
    return amount_of(container.resources().requests());
}
Amount limits_of(core_v1::Container container) {
    return amount_of(container.resources().limits());
}

std::int64_t shares_of(std::int64_t milli_cpu) {
    return std::clamp(milli_cpu * 1024 / 1000, kLeastShares, kMostShares);
}

void set_quota(ResourceLimits& limits, std::int64_t milli_cpu) {
    if (milli_cpu == 0) return;
    limits.cpu_quota_us = std::max(milli_cpu * kPeriodUs / 1000, kLeastQuotaUs);
    limits.cpu_period_us = kPeriodUs;
}

// What the pod asks for beyond its containers, an equal part for each.
std::int64_t pod_level_share_bytes(core_v1::PodSpec spec) {
    if (!spec.has_resources()) return 0;
    const std::int64_t of_pod = amount_of(spec.resources().requests()).memory_bytes;
    const std::int64_t of_containers = sum_of_containers(spec, requests_of).memory_bytes;
    auto count = static_cast<std::int64_t>(spec.containers().size());
    for (const core_v1::Container container : spec.init_containers()) count += is_sidecar(container) ? 1 : 0;
    return count == 0 ? 0 : std::max<std::int64_t>(0, of_pod - of_containers) / count;
}

std::int64_t oom_score(core_v1::Container container, core_v1::Pod pod, std::int64_t node_memory_bytes) {
    const core_v1::PodSpec spec = pod.spec();
    if (spec.priority() >= kNodeCriticalPriority) return kGuaranteedScore;
    const std::string_view quality = quality_of_service(pod.untyped());
    if (quality == "Guaranteed") return kGuaranteedScore;
    if (quality == "BestEffort") return kBestEffortScore;
    const std::int64_t share = pod_level_share_bytes(spec);
    const auto score_of = [&](std::int64_t request_bytes) {
        if (node_memory_bytes <= 0) return kBestEffortScore - 1;
        const auto part =
            1000.0 * static_cast<double>(request_bytes + share) / static_cast<double>(node_memory_bytes);
        return 1000 - static_cast<std::int64_t>(part);
    };
    std::int64_t score = score_of(requests_of(container).memory_bytes);
    if (is_sidecar(container)) {
        // A sidecar lives at least as long as the container that dies last.
        std::int64_t least_request = INT64_MAX;
        for (const core_v1::Container other : spec.containers())
            least_request = std::min(least_request, requests_of(other).memory_bytes);
        if (least_request != INT64_MAX) score = std::min(score, score_of(least_request));
    }
    return std::clamp(score, 1000 + kGuaranteedScore, kBestEffortScore - 1);
}

}  // namespace

ResourceLimits container_limits(object::Value container_value, object::Value pod_value,
                                std::int64_t node_memory_bytes) {
    const core_v1::Container container(container_value);
    const core_v1::Pod pod(pod_value);
    // A container without a limit of its own may use what its pod may.
    Amount limit = amount_of(pod.spec().resources().limits());
    limit.replace_by(limits_of(container));
    const Amount request = requests_of(container);
    ResourceLimits limits;
    limits.cpu_shares = shares_of(request.milli_cpu != 0 ? request.milli_cpu : limit.milli_cpu);
    set_quota(limits, limit.milli_cpu);
    if (limit.memory_bytes != 0) limits.memory_limit_bytes = limit.memory_bytes;
    limits.oom_score_adjustment = oom_score(container, pod, node_memory_bytes);
    return limits;
}

ResourceLimits pod_limits(object::Value pod_value) {
    const core_v1::PodSpec spec = core_v1::Pod(pod_value).spec();
    ResourceLimits limits;
    if (quality_of_service(pod_value) == "BestEffort") {
        limits.cpu_shares = kLeastShares;
        return limits;
    }
    const Amount overhead = amount_of(spec.overhead());
    Amount request = sum_of_containers(spec, requests_of);
    request.replace_by(amount_of(spec.resources().requests()));
    request.add(overhead);

    // One container without a limit leaves the whole pod without, unless the pod says it itself.
    bool has_cpu = true, has_memory = true;
    Amount limit = sum_of_containers(spec, [&](core_v1::Container container) {
        const Amount one = limits_of(container);
        has_cpu = has_cpu && one.milli_cpu != 0;
        has_memory = has_memory && one.memory_bytes != 0;
        return one;
    });
    const Amount of_pod = amount_of(spec.resources().limits());
    limit.replace_by(of_pod);
    has_cpu = has_cpu || of_pod.milli_cpu != 0;
    has_memory = has_memory || of_pod.memory_bytes != 0;

    limits.cpu_shares = shares_of(request.milli_cpu);
    if (has_cpu && limit.milli_cpu != 0) set_quota(limits, limit.milli_cpu + overhead.milli_cpu);
    if (has_memory && limit.memory_bytes != 0)
        limits.memory_limit_bytes = limit.memory_bytes + overhead.memory_bytes;
    return limits;
}

std::string_view quality_of_service(object::Value pod) {
    return resource::pod_qos_class(core_v1::Pod(pod).spec().untyped());
}

std::string cgroup_of_pod(object::Value pod) {
    const std::string_view quality = quality_of_service(pod);
    const std::string level = quality == "Guaranteed"  ? ""
                              : quality == "Burstable" ? "burstable/"
                                                       : "besteffort/";
    return "keelson/pods/" + level + "pod" + std::string(core_v1::Pod(pod).metadata().uid());
}

}  // namespace keelson::node
