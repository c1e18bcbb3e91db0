// How many replicas a measured number asks for. Pure functions.
// Source: https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#algorithm-details.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "kernel/base/result.h"
#include "kernel/control/controller.h"

namespace keelson::control::autoscaling {

// What was measured of one pod.
struct PodMetric {
    std::int64_t milli = 0;
    base::WallTime at{};
    base::Duration window{};
};
using PodMetrics = std::map<std::string, PodMetric, std::less<>>;  // by the name of the pod

// How far from its target a number may be before anything is done, as a part of one.
struct Tolerance {
    double up = 0.1;
    double down = 0.1;
    [[nodiscard]] bool covers(double ratio) const { return 1.0 - down <= ratio && ratio <= 1.0 + up; }
};

struct ReplicaQuestion {
    std::int64_t current = 0;  // replicas that the target is to have
    Tolerance tolerance;
    ObjectList pods;  // of the target's selector
    base::WallTime now{};
};

struct ReplicaAnswer {
    std::int64_t replicas = 0;
    std::int64_t average_milli = 0;       // of a pod; of everything, when the target is a total
    std::optional<std::int64_t> percent;  // of what the pods request
};

// Of pods that start the cpu says nothing: they have this long until they are taken for started,
inline constexpr base::Duration cpu_initialization_period = std::chrono::minutes(5);
// and one that became unready so soon after its start has never been ready.
inline constexpr base::Duration initial_readiness_delay = std::chrono::seconds(30);

// So many that the pods use that part of what they request, or of what one container of theirs does.
[[nodiscard]] base::Result<ReplicaAnswer> replicas_by_utilization(const ReplicaQuestion& question,
                                                                  PodMetrics metrics,
                                                                  std::string_view resource,
                                                                  std::string_view container,
                                                                  std::int64_t target_percent);
// So many that each pod has that much. `resource` is empty for numbers that are of none.
[[nodiscard]] base::Result<ReplicaAnswer> replicas_by_average(const ReplicaQuestion& question,
                                                              PodMetrics metrics, std::string_view resource,
                                                              std::int64_t target_milli);
// So many more or fewer than are ready as a number, which falls with them, is above or below its target.
[[nodiscard]] base::Result<ReplicaAnswer> replicas_by_value(const ReplicaQuestion& question,
                                                            std::int64_t measured_milli,
                                                            std::int64_t target_milli);
// So many that each has that much of a number that they share. question.current: replicas that there are.
[[nodiscard]] ReplicaAnswer replicas_by_share(const ReplicaQuestion& question, std::int64_t measured_milli,
                                              std::int64_t target_milli);

}  // namespace keelson::control::autoscaling
