// How fast an autoscaler follows its metrics: stabilization, the rates of its policies, its bounds. Pure but
// for the history that it keeps of one autoscaler.
// Source:
// https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#configurable-scaling-behavior.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "kernel/base/clock.h"
#include "kernel/control/horizontal_pod_autoscaler_replicas.h"
#include "kernel/object/accessors/autoscaling_v2.h"
#include "kernel/object/conditions.h"

namespace keelson::control::autoscaling {

enum class PolicyChoice : std::uint8_t { most, least, disabled };

struct ScalingPolicy {
    bool is_percent = false;
    std::int64_t amount = 0;
    base::Duration period{};
};

struct ScalingRules {
    base::Duration window{};  // of stabilization
    PolicyChoice choice = PolicyChoice::most;
    std::vector<ScalingPolicy> policies;
};

struct ScalingBehavior {
    bool is_given = false;  // without it there is one rule for scaling up and none for scaling down
    ScalingRules up;
    ScalingRules down;
    Tolerance tolerance;

    [[nodiscard]] static ScalingBehavior of(api_types::autoscaling_v2::HorizontalPodAutoscalerSpec spec);
};

struct Bounds {
    std::int64_t least = 1;
    std::int64_t most = 1;
};

// How many replicas there are to be after all, and what is said about it.
struct Decision {
    std::int64_t replicas = 0;
    object::ConditionState able;     // AbleToScale
    object::ConditionState limited;  // ScalingLimited
};

// What was recommended and done before. Forgets what no rule asks about any more.
class ScaleHistory {
  public:
    // The replicas that an autoscaler finds count as a recommendation: nothing is scaled down only because
    // nothing is known yet.
    void begin(std::int64_t current, base::WallTime now);
    [[nodiscard]] Decision decide(const ScalingBehavior& behavior, const Bounds& bounds, std::int64_t current,
                                  std::int64_t recommended, base::WallTime now);
    void note_change(const ScalingBehavior& behavior, std::int64_t before, std::int64_t after,
                     base::WallTime now);

  private:
    struct Entry {
        base::WallTime at{};
        std::int64_t replicas = 0;
    };
    using Entries = std::vector<Entry>;  // the oldest first

    [[nodiscard]] std::int64_t stabilize(const ScalingBehavior& behavior, std::int64_t current,
                                         std::int64_t recommended, base::WallTime now) const;
    // How many replicas there were so long ago.
    [[nodiscard]] std::int64_t at_begin_of(base::Duration period, std::int64_t current,
                                           base::WallTime now) const;
    [[nodiscard]] std::int64_t most_for(const ScalingBehavior& behavior, std::int64_t current,
                                        base::WallTime now) const;
    [[nodiscard]] std::int64_t fewest_for(const ScalingBehavior& behavior, std::int64_t current,
                                          base::WallTime now) const;
    void limit(const ScalingBehavior& behavior, const Bounds& bounds, std::int64_t current,
               base::WallTime now, Decision& decision) const;
    static void add(Entries& entries, Entry entry, base::Duration kept);

    Entries recommendations_;
    Entries changes_;  // by how many
};

}  // namespace keelson::control::autoscaling
