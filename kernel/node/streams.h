// What people do with containers from outside: read their logs, run commands in them, attach to them, reach
// their ports. The API server and the node's own server stand in front of this.
//
// Thread-safe; tasks may be awaited on any executor and resume there. Failures are in Kubernetes' words.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "kernel/node/log_reader.h"
#include "kernel/node/node_agent.h"
#include "kernel/node/runtime.h"

namespace keelson::node {

class NodeStreams {
  public:
    [[nodiscard]] static std::unique_ptr<NodeStreams> make(NodeAgent& agent, Runtime& runtime,
                                                           base::Executor& executor);
    virtual ~NodeStreams() = default;

    // `previous`: of the attempt before. Following, the reader ends when the container has.
    virtual base::Task<base::Result<std::shared_ptr<LogReader>>> logs(ContainerQuery query, bool previous,
                                                                      LogOptions options) = 0;
    // The container id in the request is filled in here; it comes back in `container_id` for resize().
    virtual base::Task<base::Result<Streams>> exec(ContainerQuery query, ExecRequest request,
                                                   std::string& container_id) = 0;
    // has_terminal says how the container was made: then there is one stream of output.
    virtual base::Task<base::Result<Streams>> attach(ContainerQuery query, bool standard_input,
                                                     bool standard_output, bool standard_error,
                                                     std::string& container_id, bool& has_terminal) = 0;
    virtual base::Task<base::Result<void>> resize(std::string container_id, std::string exec_id,
                                                  std::uint16_t columns, std::uint16_t rows) = 0;
    // A connected stream to the port, in the pod's network.
    virtual base::Task<base::Result<base::FileDescriptor>> port_forward(ContainerQuery query,
                                                                        std::uint16_t port) = 0;
};

}  // namespace keelson::node
