// nodeSelector and node affinity.
#include <algorithm>

#include "kernel/scheduling/plugins.h"

namespace keelson::scheduling {
namespace {

class NodeAffinity final : public FilterPlugin {
  public:
    [[nodiscard]] PluginId id() const override { return PluginId::node_affinity; }

    Start start(Cycle& cycle, std::string& why) const override {
        if (!cycle.shape.limits_nodes()) return Start::skip;
        if (!cycle.shape.has_required_nodes) return Start::run;
        std::vector<std::string> names;
        for (const NodeTerm& term : cycle.shape.required_nodes.terms) {
            std::vector<std::string> of_term;
            // A term that names no node may match any.
            if (!names_of(term, of_term)) return Start::run;
            names.insert(names.end(), of_term.begin(), of_term.end());
        }
        if (cycle.shape.required_nodes.terms.empty()) return Start::run;
        if (names.empty()) {
            why = "pod affinity terms conflict";
            return Start::refuse;
        }
        std::sort(names.begin(), names.end());
        names.erase(std::unique(names.begin(), names.end()), names.end());
        cycle.is_limited = true;
        cycle.only_nodes = std::move(names);
        return Start::run;
    }

    [[nodiscard]] Verdict filter(const Cycle& cycle, const NodeInfo& node) const override {
        if (cycle.shape.allows_node(node.labels, node.name)) return {};
        return refuse(cycle, Verdict::Code::unresolvable,
                      "node(s) didn't match Pod's node affinity/selector");
    }

  private:
    // The nodes that the term names with metadata.name; false when it names none. Several requirements leave
    // what all of them name.
    static bool names_of(const NodeTerm& term, std::vector<std::string>& names) {
        bool is_named = false;
        for (const Requirement& field : term.fields) {
            if (field.key != "metadata.name" || field.op != Requirement::Operator::in) continue;
            if (!is_named)
                names = field.values;
            else
                std::erase_if(names, [&](const std::string& name) { return !field.matches(&name); });
            is_named = true;
        }
        return is_named;
    }
};

class NodeAffinityScore final : public ScorePlugin {
  public:
    [[nodiscard]] std::int64_t weight() const override { return 2; }
    bool score(Cycle& cycle, Nodes nodes, std::span<std::int64_t> scores) const override {
        if (cycle.shape.preferred_nodes.empty()) return false;
        for (std::size_t index = 0; index < nodes.size(); ++index) {
            scores[index] = 0;
            for (const WeightedNodeTerm& preferred : cycle.shape.preferred_nodes)
                if (preferred.term.matches(nodes[index]->labels, nodes[index]->name))
                    scores[index] += preferred.weight;
        }
        scale_scores(scores, false);
        return true;
    }
};

}  // namespace

std::unique_ptr<FilterPlugin> make_node_affinity() {
    return std::make_unique<NodeAffinity>();
}
std::unique_ptr<ScorePlugin> make_node_affinity_score() {
    return std::make_unique<NodeAffinityScore>();
}

}  // namespace keelson::scheduling
