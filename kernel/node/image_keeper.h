// Keeps images from filling the disk: those that nothing has used for longest go first. On the node's
// executor. Source: https://kubernetes.io/docs/concepts/architecture/garbage-collection/#containers-images.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "kernel/node/machine.h"
#include "kernel/node/node_agent.h"
#include "kernel/node/pod_record.h"

namespace keelson::node {

class ImageKeeper {
  public:
    ImageKeeper(const NodeSettings& settings, const NodeParts& parts) : settings_(settings), parts_(parts) {}

    // Takes note of what is used, and removes when it is time.
    base::Task<void> look(MachineState machine, std::vector<std::shared_ptr<PodRecord>> records);

  private:
    void take_note(const std::vector<std::shared_ptr<PodRecord>>& records);
    // Those that may go, the longest unused first.
    std::vector<Image> unused(std::vector<Image> images);

    const NodeSettings& settings_;
    const NodeParts& parts_;
    // By id. An image that was never used counts from when it was first seen.
    std::map<std::string, base::MonotonicTime> last_used_;
};

}  // namespace keelson::node
