// What nodes have left: host ports, CPU, memory and the rest; and the scores of them.
#include <algorithm>
#include <cmath>

#include "kernel/scheduling/plugins.h"

namespace keelson::scheduling {
namespace {

class NodePorts final : public FilterPlugin {
  public:
    [[nodiscard]] PluginId id() const override { return PluginId::node_ports; }
    Start start(Cycle& cycle, std::string&) const override {
        return cycle.shape.host_ports.empty() ? Start::skip : Start::run;
    }
    [[nodiscard]] Verdict filter(const Cycle& cycle, const NodeInfo& node) const override {
        for (const HostPort& wanted : cycle.shape.host_ports)
            for (const HostPort& used : node.used_ports)
                if (wanted.conflicts(used))
                    return refuse(cycle, Verdict::Code::unschedulable,
                                  "node(s) didn't have free ports for the requested pod ports");
        return {};
    }
};

class NodeResourcesFit final : public FilterPlugin {
  public:
    [[nodiscard]] PluginId id() const override { return PluginId::node_resources_fit; }
    Start start(Cycle&, std::string&) const override { return Start::run; }

    [[nodiscard]] Verdict filter(const Cycle& cycle, const NodeInfo& node) const override {
        const Resources& wanted = cycle.shape.request.exact;
        if (fits(wanted, node)) return {};
        return explain(cycle, wanted, node);
    }

  private:
    static std::int64_t pod_count(const NodeInfo& node) {
        return static_cast<std::int64_t>(node.pods.size());
    }

    static bool fits(const Resources& wanted, const NodeInfo& node) {
        const Resources& has = node.allocatable;
        const Resources& used = node.requested;
        if (pod_count(node) + 1 > has.pods) return false;
        const auto enough = [](std::int64_t want, std::int64_t all, std::int64_t taken) {
            return want <= 0 || want <= all - taken;
        };
        if (!enough(wanted.milli_cpu, has.milli_cpu, used.milli_cpu)) return false;
        if (!enough(wanted.memory_bytes, has.memory_bytes, used.memory_bytes)) return false;
        if (!enough(wanted.storage_bytes, has.storage_bytes, used.storage_bytes)) return false;
        return std::all_of(wanted.others.begin(), wanted.others.end(), [&](const auto& entry) {
            return enough(entry.second, has.other(entry.first), used.other(entry.first));
        });
    }

    [[nodiscard]] Verdict explain(const Cycle& cycle, const Resources& wanted, const NodeInfo& node) const {
        std::uint64_t missing = 0, next = 1;
        bool can_be_resolved = true;
        const auto check = [&](std::int64_t want, std::int64_t all, std::int64_t taken) {
            const bool is_missing = want > 0 && want > all - taken;
            if (is_missing) missing |= next;
            if (is_missing && want > all) can_be_resolved = false;
            next <<= 1;
        };
        if (pod_count(node) + 1 > node.allocatable.pods) missing |= next;
        next <<= 1;
        check(wanted.milli_cpu, node.allocatable.milli_cpu, node.requested.milli_cpu);
        check(wanted.memory_bytes, node.allocatable.memory_bytes, node.requested.memory_bytes);
        check(wanted.storage_bytes, node.allocatable.storage_bytes, node.requested.storage_bytes);
        for (const auto& [name, amount] : wanted.others)
            check(amount, node.allocatable.other(name), node.requested.other(name));
        return {can_be_resolved ? Verdict::Code::unschedulable : Verdict::Code::unresolvable, id(),
                words(cycle, wanted, missing)};
    }

    static Reasons::Id words(const Cycle& cycle, const Resources& wanted, std::uint64_t missing) {
        for (const auto& [known, id] : cycle.missing_resources)
            if (known == missing) return id;
        std::vector<std::string> sentences;
        const auto say = [&](std::string sentence) {
            if ((missing & 1U) != 0) sentences.push_back(std::move(sentence));
            missing >>= 1;
        };
        const std::uint64_t key = missing;
        say("Too many pods");
        say("Insufficient cpu");
        say("Insufficient memory");
        say("Insufficient ephemeral-storage");
        for (const auto& [name, amount] : wanted.others) say("Insufficient " + name);
        const Reasons::Id id = cycle.reasons.of(std::move(sentences));
        cycle.missing_resources.emplace_back(key, id);
        return id;
    }
};

// The more is left, the better: the mean of what is left of CPU and of memory, in hundredths.
class LeastAllocated final : public ScorePlugin {
  public:
    [[nodiscard]] std::int64_t weight() const override { return 1; }
    bool score(Cycle& cycle, Nodes nodes, std::span<std::int64_t> scores) const override {
        const PodRequest& wanted = cycle.shape.request;
        for (std::size_t index = 0; index < nodes.size(); ++index) {
            const NodeInfo& node = *nodes[index];
            std::int64_t sum = 0, kinds = 0;
            const auto add = [&](std::int64_t all, std::int64_t used) {
                if (all == 0) return;
                ++kinds;
                if (used <= all) sum += (all - used) * kHighestScore / all;
            };
            add(node.allocatable.milli_cpu, node.non_zero_milli_cpu + wanted.non_zero_milli_cpu);
            add(node.allocatable.memory_bytes, node.non_zero_memory_bytes + wanted.non_zero_memory_bytes);
            scores[index] = kinds == 0 ? 0 : sum / kinds;
        }
        return true;
    }
};

// The nearer the shares of CPU and memory in use would be to each other, the better.
class BalancedAllocation final : public ScorePlugin {
  public:
    [[nodiscard]] std::int64_t weight() const override { return 1; }
    bool score(Cycle& cycle, Nodes nodes, std::span<std::int64_t> scores) const override {
        const Resources& wanted = cycle.shape.request.exact;
        // Pods that ask for nothing would all go to the node that happens to be in balance.
        if (wanted.milli_cpu == 0 && wanted.memory_bytes == 0) return false;
        for (std::size_t index = 0; index < nodes.size(); ++index) {
            const NodeInfo& node = *nodes[index];
            const double cpu = share(node.requested.milli_cpu + wanted.milli_cpu, node.allocatable.milli_cpu);
            const double memory =
                share(node.requested.memory_bytes + wanted.memory_bytes, node.allocatable.memory_bytes);
            const bool has_both = node.allocatable.milli_cpu > 0 && node.allocatable.memory_bytes > 0;
            const double deviation = has_both ? std::abs(cpu - memory) / 2 : 0;
            scores[index] = static_cast<std::int64_t>((1 - deviation) * static_cast<double>(kHighestScore));
        }
        return true;
    }

  private:
    static double share(std::int64_t used, std::int64_t all) {
        return all <= 0 ? 0 : std::min(1.0, static_cast<double>(used) / static_cast<double>(all));
    }
};

}  // namespace

std::unique_ptr<FilterPlugin> make_node_ports() {
    return std::make_unique<NodePorts>();
}
std::unique_ptr<FilterPlugin> make_node_resources_fit() {
    return std::make_unique<NodeResourcesFit>();
}
std::unique_ptr<ScorePlugin> make_least_allocated_score() {
    return std::make_unique<LeastAllocated>();
}
std::unique_ptr<ScorePlugin> make_balanced_allocation_score() {
    return std::make_unique<BalancedAllocation>();
}

}  // namespace keelson::scheduling
