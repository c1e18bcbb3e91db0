#include "kernel/control/horizontal_pod_autoscaler_behavior.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "kernel/object/quantity.h"

namespace keelson::control::autoscaling {
namespace {

using api_types::autoscaling_v2::HorizontalPodAutoscalerSpec;
using api_types::autoscaling_v2::HPAScalingPolicy;
using api_types::autoscaling_v2::HPAScalingRules;
using base::Duration;
using base::WallTime;

constexpr Duration kDownWindow = std::chrono::minutes(5);
constexpr Duration kPeriod = std::chrono::seconds(15);
constexpr std::size_t kEntryLimit = 1024;
// Where nothing is said about scaling up.
constexpr std::int64_t kUpFactor = 2;
constexpr std::int64_t kUpMinimum = 4;

constexpr std::int64_t kMany = std::numeric_limits<std::int32_t>::max();

PolicyChoice choice_of(std::string_view text) {
    if (text == "Disabled") return PolicyChoice::disabled;
    return text == "Min" ? PolicyChoice::least : PolicyChoice::most;
}

// What is left open is as the API's defaults are, which objects of other ways may lack.
ScalingRules rules_of(HPAScalingRules given, ScalingRules rules) {
    if (given.has_stabilization_window_seconds())
        rules.window = std::chrono::seconds(given.stabilization_window_seconds());
    rules.choice = choice_of(given.select_policy());
    if (given.policies().empty()) return rules;
    rules.policies.clear();
    for (const HPAScalingPolicy policy : given.policies())
        rules.policies.push_back(
            {policy.type() == "Percent", policy.value(), std::chrono::seconds(policy.period_seconds())});
    return rules;
}

void read_tolerance(HPAScalingRules given, double& tolerance) {
    if (!given.has_tolerance()) return;
    if (const auto amount = object::Quantity::parse(given.tolerance())) tolerance = amount->approximate();
}

Duration longest_period(const ScalingBehavior& behavior) {
    Duration longest{};
    for (const ScalingRules* rules : {&behavior.up, &behavior.down})
        for (const ScalingPolicy& policy : rules->policies) longest = std::max(longest, policy.period);
    return longest;
}

std::int64_t grown(std::int64_t replicas, const ScalingPolicy& policy) {
    if (!policy.is_percent) return std::min(replicas + policy.amount, kMany);
    // Up, or a few replicas would never become more.
    const double factor = 1.0 + static_cast<double>(policy.amount) / 100.0;
    return static_cast<std::int64_t>(
        std::min(std::ceil(static_cast<double>(replicas) * factor), static_cast<double>(kMany)));
}

std::int64_t shrunk(std::int64_t replicas, const ScalingPolicy& policy) {
    if (!policy.is_percent) return replicas - policy.amount;
    const double factor = 1.0 - static_cast<double>(policy.amount) / 100.0;
    return static_cast<std::int64_t>(static_cast<double>(replicas) * factor);
}

void set_limited(Decision& decision, std::int64_t replicas, std::string_view reason,
                 std::string_view message) {
    decision.replicas = replicas;
    decision.limited = {"ScalingLimited", "True", reason, message};
}

}  // namespace

ScalingBehavior ScalingBehavior::of(HorizontalPodAutoscalerSpec spec) {
    ScalingBehavior behavior;
    behavior.down.window = kDownWindow;
    if (!spec.has_behavior()) return behavior;
    behavior.is_given = true;
    behavior.up.policies = {{true, 100, kPeriod}, {false, kUpMinimum, kPeriod}};
    behavior.down.policies = {{true, 100, kPeriod}};
    const HPAScalingRules up = spec.behavior().scale_up();
    const HPAScalingRules down = spec.behavior().scale_down();
    behavior.up = rules_of(up, std::move(behavior.up));
    behavior.down = rules_of(down, std::move(behavior.down));
    read_tolerance(up, behavior.tolerance.up);
    read_tolerance(down, behavior.tolerance.down);
    return behavior;
}

void ScaleHistory::add(Entries& entries, Entry entry, Duration kept) {
    std::erase_if(entries, [&](const Entry& old) { return old.at + kept < entry.at; });
    // More than one for each look there are only where somebody changes the rules again and again.
    if (entries.size() >= kEntryLimit) entries.erase(entries.begin());
    entries.push_back(entry);
}

void ScaleHistory::begin(std::int64_t current, WallTime now) {
    if (recommendations_.empty()) recommendations_.push_back({now, current});
}

void ScaleHistory::note_change(const ScalingBehavior& behavior, std::int64_t before, std::int64_t after,
                               WallTime now) {
    add(changes_, {now, after - before}, longest_period(behavior));
}

std::int64_t ScaleHistory::stabilize(const ScalingBehavior& behavior, std::int64_t current,
                                     std::int64_t recommended, WallTime now) const {
    std::int64_t highest = recommended;
    std::int64_t lowest = recommended;
    for (const Entry& entry : recommendations_) {
        if (!behavior.is_given) {
            if (entry.at + behavior.down.window >= now) highest = std::max(highest, entry.replicas);
            continue;
        }
        if (entry.at + behavior.up.window > now) lowest = std::min(lowest, entry.replicas);
        if (entry.at + behavior.down.window > now) highest = std::max(highest, entry.replicas);
    }
    if (!behavior.is_given) return highest;
    // As little is changed as all recent recommendations have asked for.
    return std::min(std::max(current, lowest), highest);
}

std::int64_t ScaleHistory::at_begin_of(Duration period, std::int64_t current, WallTime now) const {
    for (const Entry& change : changes_)
        if (change.at + period > now) current -= change.replicas;
    return current;
}

std::int64_t ScaleHistory::most_for(const ScalingBehavior& behavior, std::int64_t current,
                                    WallTime now) const {
    if (!behavior.is_given) return std::max(kUpFactor * current, kUpMinimum);
    if (behavior.up.choice == PolicyChoice::disabled) return current;
    const bool takes_most = behavior.up.choice == PolicyChoice::most;
    std::int64_t chosen = takes_most ? 0 : kMany;
    for (const ScalingPolicy& policy : behavior.up.policies) {
        const std::int64_t allowed = grown(at_begin_of(policy.period, current, now), policy);
        chosen = takes_most ? std::max(chosen, allowed) : std::min(chosen, allowed);
    }
    // Enough may have been added already.
    return std::max(chosen, current);
}

std::int64_t ScaleHistory::fewest_for(const ScalingBehavior& behavior, std::int64_t current,
                                      WallTime now) const {
    if (!behavior.is_given) return 0;
    if (behavior.down.choice == PolicyChoice::disabled) return current;
    const bool takes_most = behavior.down.choice == PolicyChoice::most;
    std::int64_t chosen = takes_most ? kMany : 0;
    for (const ScalingPolicy& policy : behavior.down.policies) {
        const std::int64_t allowed = shrunk(at_begin_of(policy.period, current, now), policy);
        chosen = takes_most ? std::min(chosen, allowed) : std::max(chosen, allowed);
    }
    return std::min(chosen, current);
}

void ScaleHistory::limit(const ScalingBehavior& behavior, const Bounds& bounds, std::int64_t current,
                         WallTime now, Decision& decision) const {
    const std::int64_t wanted = decision.replicas;
    decision.limited = {"ScalingLimited", "False", "DesiredWithinRange",
                        "the desired count is within the acceptable range"};
    const bool is_up = wanted > current;
    const std::int64_t most = most_for(behavior, current, now);
    const std::int64_t fewest = fewest_for(behavior, current, now);
    if (is_up && wanted > bounds.most && bounds.most <= most)
        return set_limited(decision, bounds.most, "TooManyReplicas",
                           "the desired replica count is more than the maximum replica count");
    if (is_up && wanted > most)
        return set_limited(decision, most, "ScaleUpLimit",
                           "the desired replica count is increasing faster than the maximum scale rate");
    if (wanted < bounds.least && bounds.least >= fewest)
        return set_limited(decision, bounds.least, "TooFewReplicas",
                           "the desired replica count is less than the minimum replica count");
    if (wanted < fewest)
        return set_limited(decision, fewest, "ScaleDownLimit",
                           "the desired replica count is decreasing faster than the maximum scale rate");
}

Decision ScaleHistory::decide(const ScalingBehavior& behavior, const Bounds& bounds, std::int64_t current,
                              std::int64_t recommended, WallTime now) {
    Decision decision;
    decision.replicas = stabilize(behavior, current, recommended, now);
    add(recommendations_, {now, recommended}, std::max({behavior.up.window, behavior.down.window, kPeriod}));
    decision.able = {"AbleToScale", "True", "ReadyForNewScale", "recommended size matches current size"};
    if (decision.replicas != recommended && behavior.is_given && recommended >= current)
        decision.able = {"AbleToScale", "True", "ScaleUpStabilized",
                         "recent recommendations were lower than current one, applying the lowest recent "
                         "recommendation"};
    else if (decision.replicas != recommended)
        decision.able = {"AbleToScale", "True", "ScaleDownStabilized",
                         "recent recommendations were higher than current one, applying the highest recent "
                         "recommendation"};
    limit(behavior, bounds, current, now, decision);
    return decision;
}

}  // namespace keelson::control::autoscaling
