// The node's own objects: the Node with what the machine has and how it stands, and the Lease that says that
// it lives. On the node's executor. Source: https://kubernetes.io/docs/reference/node/node-status/.
#pragma once

#include <functional>
#include <string>

#include "kernel/base/pause.h"
#include "kernel/client/event_recorder.h"
#include "kernel/client/informer.h"
#include "kernel/node/machine.h"
#include "kernel/node/node_agent.h"

namespace keelson::node {

class NodeObject {
  public:
    NodeObject(const NodeSettings& settings, const NodeParts& parts, client::EventRecorder& recorder,
               NodePressure& pressure);

    // Makes the Node, or takes over the one that is there; tries until the API answers or stop().
    base::Task<void> register_node();
    // Renews the lease and writes the status, each in its rhythm, until stop().
    base::Task<void> keep_alive();
    void stop() { pause_.stop(); }

    [[nodiscard]] const MachineFacts& facts() const { return facts_; }
    [[nodiscard]] const RuntimeInfo& runtime() const { return runtime_; }

  private:
    // Whether the node can run pods, and why not.
    struct Readiness {
        bool is_ready = false;
        std::string reason;
        std::string message;
    };
    Readiness readiness_from(const base::Result<RuntimeInfo>& runtime);
    base::Task<base::Result<void>> create_or_adopt();
    base::Task<base::Result<void>> renew_lease();
    base::Task<base::Result<void>> write_status();
    void put_facts(object::Value node, object::Arena& arena);
    void put_conditions(object::Value status, const Readiness& readiness, object::Arena& arena);
    void put_images(object::Value status, std::vector<Image> images, object::Arena& arena);

    const NodeSettings& settings_;
    const NodeParts& parts_;
    client::EventRecorder& recorder_;
    NodePressure& pressure_;
    MachineFacts facts_;
    RuntimeInfo runtime_;
    std::string lease_holder_;
    base::MonotonicTime status_written_{};
    base::Pause pause_;
};

}  // namespace keelson::node
