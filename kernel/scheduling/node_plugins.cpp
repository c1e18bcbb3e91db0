// Filters on what the node says of itself: cordoned, named, tainted; and the score of taints and images.
#include <algorithm>

#include "kernel/scheduling/plugins.h"

namespace keelson::scheduling {
namespace {

class NodeUnschedulable final : public FilterPlugin {
  public:
    [[nodiscard]] PluginId id() const override { return PluginId::node_unschedulable; }
    Start start(Cycle&, std::string&) const override { return Start::run; }
    [[nodiscard]] Verdict filter(const Cycle& cycle, const NodeInfo& node) const override {
        if (!node.is_unschedulable) return {};
        static const Taint kCordoned{"node.kubernetes.io/unschedulable", "", "NoSchedule"};
        if (tolerates(cycle.shape.tolerations, kCordoned)) return {};
        return refuse(cycle, Verdict::Code::unresolvable, "node(s) were unschedulable");
    }
};

class NodeName final : public FilterPlugin {
  public:
    [[nodiscard]] PluginId id() const override { return PluginId::node_name; }
    Start start(Cycle& cycle, std::string&) const override {
        return cycle.pod.requested_node.empty() ? Start::skip : Start::run;
    }
    [[nodiscard]] Verdict filter(const Cycle& cycle, const NodeInfo& node) const override {
        if (cycle.pod.requested_node == node.name) return {};
        return refuse(cycle, Verdict::Code::unresolvable, "node(s) didn't match the requested node name");
    }
};

class TaintToleration final : public FilterPlugin {
  public:
    [[nodiscard]] PluginId id() const override { return PluginId::taint_toleration; }
    Start start(Cycle&, std::string&) const override { return Start::run; }
    [[nodiscard]] Verdict filter(const Cycle& cycle, const NodeInfo& node) const override {
        if (node.taints.empty() || !keeps_out(node.taints, cycle.shape.tolerations)) return {};
        return refuse(cycle, Verdict::Code::unresolvable, "node(s) had untolerated taint(s)");
    }
};

// The fewer unwanted taints, the better.
class TaintScore final : public ScorePlugin {
  public:
    [[nodiscard]] std::int64_t weight() const override { return 3; }
    bool score(Cycle& cycle, Nodes nodes, std::span<std::int64_t> scores) const override {
        if (cycle.cluster.nodes_with_soft_taints() == 0) return false;
        for (std::size_t index = 0; index < nodes.size(); ++index) {
            scores[index] = std::count_if(
                nodes[index]->taints.begin(), nodes[index]->taints.end(), [&](const Taint& taint) {
                    return taint.effect == "PreferNoSchedule" && !tolerates(cycle.shape.tolerations, taint);
                });
        }
        scale_scores(scores, true);
        return true;
    }
};

// Prefers nodes that have the pod's images, the larger the better; an image that few nodes have counts for
// less, so that pods do not crowd on them.
class ImageLocality final : public ScorePlugin {
  public:
    [[nodiscard]] std::int64_t weight() const override { return 1; }
    bool score(Cycle& cycle, Nodes nodes, std::span<std::int64_t> scores) const override {
        if (!cycle.cluster.has_images()) return false;
        const auto all = static_cast<double>(cycle.cluster.nodes().size());
        struct Wanted {
            std::string name;
            double share = 0;
        };
        std::vector<Wanted> wanted;
        for (const std::string& image : cycle.shape.images) {
            Wanted one;
            one.name = normalized(image);
            one.share = static_cast<double>(cycle.cluster.image_spread(one.name)) / all;
            wanted.push_back(std::move(one));
        }
        const std::int64_t highest = kMostBytes * static_cast<std::int64_t>(wanted.size());
        for (std::size_t index = 0; index < nodes.size(); ++index) {
            std::int64_t sum = 0;
            for (const Wanted& one : wanted) {
                if (one.share == 0) continue;
                for (const NodeImage& image : nodes[index]->images)
                    if (image.name == one.name)
                        sum += static_cast<std::int64_t>(static_cast<double>(image.size_bytes) * one.share);
            }
            sum = std::clamp(sum, kLeastBytes, std::max(highest, kLeastBytes));
            scores[index] =
                highest <= kLeastBytes ? 0 : kHighestScore * (sum - kLeastBytes) / (highest - kLeastBytes);
        }
        return true;
    }

  private:
    static constexpr std::int64_t kLeastBytes = 23LL * 1024 * 1024;
    static constexpr std::int64_t kMostBytes = 1000LL * 1024 * 1024;  // a container

    static std::string normalized(const std::string& image) {
        const std::size_t colon = image.rfind(':');
        const std::size_t slash = image.rfind('/');
        const bool has_tag = colon != std::string::npos && (slash == std::string::npos || colon > slash);
        return has_tag ? image : image + ":latest";
    }
};

}  // namespace

std::unique_ptr<FilterPlugin> make_node_unschedulable() {
    return std::make_unique<NodeUnschedulable>();
}
std::unique_ptr<FilterPlugin> make_node_name() {
    return std::make_unique<NodeName>();
}
std::unique_ptr<FilterPlugin> make_taint_toleration() {
    return std::make_unique<TaintToleration>();
}
std::unique_ptr<ScorePlugin> make_taint_score() {
    return std::make_unique<TaintScore>();
}
std::unique_ptr<ScorePlugin> make_image_locality_score() {
    return std::make_unique<ImageLocality>();
}

}  // namespace keelson::scheduling
