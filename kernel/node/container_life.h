// The start and the end of one container: image, settings, create, start, hooks, stop. On the node's
// executor.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "kernel/base/ids.h"
#include "kernel/client/event_recorder.h"
#include "kernel/client/informer.h"
#include "kernel/node/image_puller.h"
#include "kernel/node/node_agent.h"
#include "kernel/node/pod_record.h"
#include "kernel/node/probe.h"

namespace keelson::node {

// What the parts of an agent share. All of it outlives them.
struct AgentParts {
    const NodeSettings& settings;
    const NodeParts& node;
    ObjectCache& objects;
    client::EventRecorder& recorder;
    client::Informer& nodes;  // this node at least
    client::Informer& services;
    ImagePuller& puller;
    const NodePressure& pressure;
    // Looks at the pod again.
    std::function<void(const std::string& uid)> wake;

    [[nodiscard]] base::MonotonicTime now() const { return node.executor.clock().now(); }
};

class ContainerLife {
  public:
    explicit ContainerLife(const AgentParts& parts) : parts_(parts) {}

    // Starts the next attempt, or leaves in the record why it waits. When to look again, if nothing happens.
    base::Task<std::optional<base::Duration>> start(std::shared_ptr<PodRecord> record, std::string container);
    // Begins to end it, with its hook and its grace; the record says so until it has ended. The grace is that
    // of the pod's ending, of the probe that failed, or of the pod.
    void stop(const std::shared_ptr<PodRecord>& record, const std::string& container,
              std::optional<std::chrono::seconds> grace, std::string_view reason, std::string message);

    // Holds a running container to the limits that its pod has now, if they are other ones: at once, or by a
    // new start when its resize policy says so.
    base::Task<base::Result<void>> resize(std::shared_ptr<PodRecord> record, std::string container);

    // Where the attempt's log is, below the log directory.
    [[nodiscard]] static std::string log_directory(const NodeSettings& settings, const PodRecord& record);
    [[nodiscard]] static std::string log_path(const std::string& container, std::int32_t attempt);

  private:
    using Record = std::shared_ptr<PodRecord>;

    [[nodiscard]] std::int64_t node_memory_bytes() const;
    base::Task<base::Result<ContainerConfig>> configure(Record record, std::string container, Image image);
    base::Task<base::Result<void>> launch(Record record, std::string container, ContainerConfig config);
    base::Task<void> run_post_start(Record record, std::string container, std::string id);
    base::Task<void> end(Record record, std::string container, std::string id, std::chrono::seconds grace);
    base::Task<base::Result<void>> run_hook(Record record, std::string container, std::string id,
                                            object::Value handler, std::chrono::seconds timeout);
    std::optional<base::Duration> wait(PodRecord& record, const std::string& container,
                                       std::string_view reason, std::string message, base::Duration again);
    void tell(const PodRecord& record, const std::string& container, client::EventType type,
              std::string_view reason, std::string message);

    const AgentParts& parts_;
};

}  // namespace keelson::node
