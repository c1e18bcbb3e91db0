// Why a pod was not placed, in Kubernetes' words.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kernel/scheduling/framework.h"

namespace keelson::scheduling {

// What became of the nodes of one search. Nodes without a verdict count as `absent`.
class Diagnosis {
  public:
    void reset(std::size_t slots);
    void refuse(std::uint32_t slot, Verdict verdict);
    [[nodiscard]] const Verdict& of(std::uint32_t slot) const { return verdicts_[slot]; }
    [[nodiscard]] std::size_t refused() const { return refused_.size(); }
    // In the order in which they were refused.
    [[nodiscard]] const std::vector<std::uint32_t>& refused_slots() const { return refused_; }

    PluginSet plugins;  // who refused
    std::vector<std::string> absent_reasons;
    std::string before;  // a refusal before any node was looked at
    std::string after;   // what preemption said

  private:
    std::vector<Verdict> verdicts_;
    std::vector<std::uint32_t> refused_;
};

// "0/3 nodes are available: 1 Too many pods, 2 Insufficient cpu. <after>": reasons with the number of nodes,
// sorted as text.
[[nodiscard]] std::string fit_message(const Diagnosis& diagnosis, std::size_t nodes, const Reasons& reasons);

// Of a message what fits into an event (1,024 bytes), marked with " ..." when it was cut.
[[nodiscard]] std::string event_note(std::string message);

}  // namespace keelson::scheduling
