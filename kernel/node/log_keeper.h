// Keeps the logs of containers within their bounds: a log that has grown too long is renamed and the
// container writes a new one. On the node's executor.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "kernel/base/pause.h"
#include "kernel/node/node_agent.h"
#include "kernel/node/pod_record.h"

namespace keelson::node {

class LogKeeper {
  public:
    LogKeeper(const NodeSettings& settings, const NodeParts& parts) : settings_(settings), parts_(parts) {}

    // Looks at all logs in turn, until stop().
    base::Task<void> run(std::function<std::vector<std::shared_ptr<PodRecord>>()> records);
    void stop() { pause_.stop(); }

  private:
    base::Task<void> look_at(std::shared_ptr<PodRecord> record);

    const NodeSettings& settings_;
    const NodeParts& parts_;
    base::Pause pause_;
};

}  // namespace keelson::node
