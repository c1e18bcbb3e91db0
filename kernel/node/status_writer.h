// Brings the statuses of pods to the API server: one write at a time for a pod, none when nothing has
// changed. On the node's executor.
#pragma once

#include <memory>

#include "kernel/client/client.h"
#include "kernel/node/pod_status.h"

namespace keelson::node {

class StatusWriter {
  public:
    explicit StatusWriter(client::Client& client) : client_(client) {}

    // Writes what the record says, unless the API has it. Fails with conflict when the pod has changed
    // meanwhile: the caller comes again with the newer one. not_found: the pod is gone.
    base::Task<base::Result<void>> write(std::shared_ptr<PodRecord> record, StatusSurroundings surroundings);
    // Ends the pod's object for good, if it is still the same pod.
    base::Task<base::Result<void>> remove(std::shared_ptr<PodRecord> record);

  private:
    client::Client& client_;
};

}  // namespace keelson::node
