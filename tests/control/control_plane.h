// A control plane for tests: the verbs over the memory store, informers and an engine, in virtual time.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "kernel/base/metrics.h"
#include "kernel/client/client.h"
#include "kernel/client/informer.h"
#include "kernel/control/engine.h"
#include "tests/resource/cluster.h"

namespace keelson::control {

class ControlPlane {
  public:
    explicit ControlPlane(std::uint64_t seed = 0);
    ~ControlPlane();

    // Give all controllers before start().
    void add(std::unique_ptr<Controller> controller) { engine->add(std::move(controller)); }
    void start();
    // Runs what is ready, without moving the clock.
    void settle() { cluster.executor.run_until_idle(); }
    void advance(base::Duration duration) { cluster.executor.advance(duration); }

    // Through the API as a user; all settle() first and afterwards. Failures fail the test.
    resource::Outcome get(const resource::Target& target);
    resource::Outcome create(const resource::Target& target, std::string_view json);
    resource::Outcome merge(const resource::Target& target, std::string_view json);
    resource::Outcome remove(const resource::Target& target, const resource::DeleteOptions& options = {});
    // The names of a collection in a namespace, in order.
    std::vector<std::string> names(std::string_view resource, std::string_view namespace_name = "default");
    // "reason: message" of the events about objects of that name, in the order of their making.
    std::vector<std::string> events_about(std::string_view name, std::string_view namespace_name = "default");

    // A node's part: binds nothing, but reports all bound or unbound pods that are not ready as running and
    // ready.
    void run_pods(std::string_view namespace_name = "default");
    void set_pod_phase(std::string_view name, std::string_view phase, bool ready,
                       std::string_view namespace_name = "default");

    resource::Cluster cluster;
    base::Metrics metrics;
    std::unique_ptr<client::Client> client;
    std::unique_ptr<client::Informers> informers;
    Surroundings surroundings;
    std::unique_ptr<Engine> engine;
};

}  // namespace keelson::control
