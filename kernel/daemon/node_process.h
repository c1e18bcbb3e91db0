// A keelsond with the role node alone: plugins and a node that talks to the API over HTTPS. There is no
// store, no API and no admin API in it.
#pragma once

#include <memory>

#include "kernel/base/result.h"
#include "kernel/daemon/config.h"

namespace keelson::daemon {

// Used by one thread, which is none of the executor's.
class NodeProcess {
  public:
    // Joins first when this machine has not. Reason::bad_request for what the operator has to put right:
    // nothing has been changed then but the data directory made.
    static base::Result<std::unique_ptr<NodeProcess>> start(const Config& config);
    virtual ~NodeProcess() = default;  // stops; containers go on

    // Takes over log and plugins; what needs a restart is logged. On failure everything stays as it was.
    virtual base::Result<void> reload(const Config& config) = 0;
};

}  // namespace keelson::daemon
