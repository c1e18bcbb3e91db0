#include "kernel/node/pod_plan.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "kernel/base/sha256.h"

namespace keelson::node {
namespace {

namespace core_v1 = api_types::core_v1;

constexpr std::size_t kIdDigits = 64;
constexpr std::size_t kHashDigits = 16;

std::string hex(std::uint64_t number) {
    std::array<char, kHashDigits> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number, 16).ptr;
    const auto count = static_cast<std::size_t>(end - digits.data());
    return std::string(kHashDigits - count, '0') + std::string(digits.data(), count);
}

bool rule_restarts(core_v1::Container container, std::int32_t exit_code) {
    for (const core_v1::ContainerRestartRule rule : container.restart_policy_rules()) {
        const auto codes = rule.exit_codes();
        bool is_listed = false;
        for (const std::int64_t value : codes.values()) is_listed = is_listed || value == exit_code;
        const bool matches = codes.operator_() == "In" ? is_listed : !is_listed;
        if (matches && rule.action() == "Restart") return true;
    }
    return false;
}

bool is_ended_for_good(const ContainerRecord& container, core_v1::Pod pod) {
    return container.has_exited() && !restarts_after(container, pod);
}

// Plans one container that is to run and does not.
void start(const ContainerRecord& container, base::MonotonicTime now, PodPlan& plan) {
    if (container.is_stopping || (container.current && container.current->phase == ContainerPhase::running))
        return;
    if (container.not_before > now) {
        plan.held_back.push_back(container.name);
        const base::Duration left = container.not_before - now;
        plan.look_again = std::min(plan.look_again.value_or(left), left);
        return;
    }
    plan.start.push_back(container.name);
}

// Init containers and sidecars in their order, up to the first that the others have to wait for. True when
// the main containers may start.
bool plan_init(const PodRecord& record, base::MonotonicTime now, bool mains_have_run, PodPlan& plan) {
    for (const ContainerRecord& container : record.containers) {
        if (container.role == ContainerRole::sidecar) {
            if (!container.is_running()) start(container, now, plan);
            if (!mains_have_run && !(container.is_running() && container.is_started)) return false;
        } else if (container.role == ContainerRole::init && !mains_have_run) {
            const bool has_succeeded = container.has_exited() && container.current->exit_code == 0;
            if (has_succeeded) continue;
            if (!container.has_exited() || restarts_after(container, record.object()))
                start(container, now, plan);
            return false;
        }
    }
    return true;
}

bool have_mains_run(const PodRecord& record) {
    return std::ranges::any_of(record.containers, [](const ContainerRecord& container) {
        return container.role == ContainerRole::main && container.current;
    });
}

// No main container runs or will run, or an init container has failed for good.
bool is_work_over(const PodRecord& record) {
    const core_v1::Pod pod = record.object();
    if (!have_mains_run(record)) {
        return std::ranges::any_of(record.containers, [pod](const ContainerRecord& container) {
            return container.role == ContainerRole::init && is_ended_for_good(container, pod) &&
                   container.current->exit_code != 0;
        });
    }
    return std::ranges::all_of(record.containers, [pod](const ContainerRecord& container) {
        return container.role != ContainerRole::main || is_ended_for_good(container, pod);
    });
}

void plan_end_of_work(const PodRecord& record, PodPlan& plan) {
    for (const std::string& name : plan_ending(record))
        plan.stop.push_back({name, "Killing", "Stopping container " + name});
    plan.is_over = !record.has_running();
}

void plan_changed(const PodRecord& record, PodPlan& plan) {
    for (const ContainerRecord& container : record.containers) {
        if (!container.is_running() || container.is_stopping || container.role == ContainerRole::init ||
            container.role == ContainerRole::ephemeral)
            continue;
        if (hash_in_id(container.current->id) == hash_of(container_of(record.object(), container.name)))
            continue;
        plan.stop.push_back({container.name, "Killing",
                             "Container " + container.name + " definition changed, will be restarted"});
    }
}

}  // namespace

bool restarts_after(const ContainerRecord& container, core_v1::Pod pod) {
    if (container.role == ContainerRole::sidecar) return true;
    if (container.role == ContainerRole::ephemeral) return false;
    if (!container.has_exited()) return true;
    const core_v1::Container definition = container_of(pod, container.name);
    if (rule_restarts(definition, container.current->exit_code)) return true;
    std::string_view policy = definition.restart_policy();
    if (policy.empty()) policy = pod.spec().restart_policy();
    // An init container has done its work when it has succeeded.
    if (policy == "Always") return container.role == ContainerRole::main || container.current->exit_code != 0;
    return policy == "OnFailure" && container.current->exit_code != 0;
}

bool is_initialized(const PodRecord& record) {
    if (have_mains_run(record)) return true;
    return std::ranges::all_of(record.containers, [](const ContainerRecord& container) {
        if (container.role == ContainerRole::init)
            return container.has_exited() && container.current->exit_code == 0;
        return container.role != ContainerRole::sidecar || (container.is_running() && container.is_started);
    });
}

PodPlan plan_pod(const PodRecord& record, base::MonotonicTime now) {
    PodPlan plan;
    if (is_work_over(record)) {
        plan_end_of_work(record, plan);
        return plan;
    }
    if (!record.is_sandbox_ready) {
        plan.needs_sandbox = true;
        return plan;
    }
    plan_changed(record, plan);
    const bool mains_may_start = plan_init(record, now, have_mains_run(record), plan);
    for (const ContainerRecord& container : record.containers) {
        if (container.role == ContainerRole::ephemeral && !container.current) start(container, now, plan);
        if (container.role != ContainerRole::main || !mains_may_start || container.is_running()) continue;
        if (!container.has_exited() || restarts_after(container, record.object()))
            start(container, now, plan);
    }
    return plan;
}

std::vector<std::string> plan_ending(const PodRecord& record) {
    std::vector<std::string> names;
    bool others_live = false;
    for (const ContainerRecord& container : record.containers) {
        if (container.role == ContainerRole::sidecar || !container.is_running()) continue;
        others_live = true;
        if (!container.is_stopping) names.push_back(container.name);
    }
    if (others_live) return names;
    for (auto container = record.containers.rbegin(); container != record.containers.rend(); ++container) {
        if (!container->is_running()) continue;
        if (!container->is_stopping) names.push_back(container->name);
        break;
    }
    return names;
}

std::uint64_t hash_in_id(std::string_view container_id) {
    if (container_id.size() != kIdDigits) return 0;
    std::uint64_t hash = 0;
    const char* begin = container_id.data() + (kIdDigits - kHashDigits);
    std::from_chars(begin, container_id.data() + kIdDigits, hash, 16);
    return hash;
}

std::string make_container_id(std::string_view pod_uid, core_v1::Container container, std::int32_t attempt) {
    const std::string text =
        std::string(pod_uid) + "/" + std::string(container.name()) + "/" + std::to_string(attempt);
    return base::hexadecimal(base::sha256_of(text)).substr(0, kIdDigits - kHashDigits) +
           hex(hash_of(container));
}

std::string make_sandbox_id(std::string_view pod_uid, std::int32_t attempt) {
    return base::hexadecimal(base::sha256_of(std::string(pod_uid) + "//" + std::to_string(attempt)));
}

}  // namespace keelson::node
