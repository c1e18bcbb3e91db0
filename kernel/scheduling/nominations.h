// Pods that wait for a node on which room is being made for them.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "kernel/scheduling/pod_info.h"

namespace keelson::scheduling {

class Nominations {
  public:
    // Replaces an earlier one of the pod; an empty node takes it away.
    void set(const PodPointer& pod, const std::string& node);
    void remove(const std::string& uid);
    [[nodiscard]] const std::vector<PodPointer>& on(const std::string& node) const;
    // Empty when there is none.
    [[nodiscard]] const std::string& node_of(const std::string& uid) const;
    [[nodiscard]] bool empty() const { return nodes_.empty(); }

  private:
    std::unordered_map<std::string, std::string> nodes_;  // by uid
    std::unordered_map<std::string, std::vector<PodPointer>> pods_;
};

}  // namespace keelson::scheduling
