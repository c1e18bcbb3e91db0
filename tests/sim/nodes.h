// Simulated nodes: what a kubelet shows of itself through the API, and machines that crash and hang.
//
// A node registers itself and renews its lease; its pods become ready after a while, finish when their work
// has an end, break now and then, and go when they are deleted. Containers live on the machine: they go on
// when the kubelet hangs and are lost when the machine crashes.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "kernel/client/informer.h"
#include "kernel/client/work_queue.h"
#include "kernel/object/value.h"
#include "kernel/resource/subresources.h"
#include "kernel/resource/verbs.h"
#include "tests/sim/processes.h"

namespace keelson::sim {

struct NodeSettings {
    int count = 4;
    double breaks = 0;      // of the pods that run for ever lose their readiness once
    double work_fails = 0;  // of the pods that end do so with an error
};

class Nodes {
  public:
    Nodes(const NodeSettings& settings, resource::Verbs& verbs, resource::Subresources& subresources,
          const Ground& ground);
    ~Nodes();

    void start();
    // No heartbeat any more; after it nothing of the nodes runs.
    base::Task<void> stop();

    [[nodiscard]] std::vector<std::string> names() const;
    // The kubelet says and does nothing; what runs goes on.
    void hang(const std::string& name);
    // The machine is off: what ran is lost.
    void crash(const std::string& name);
    void bring_back(const std::string& name);
    [[nodiscard]] bool is_up(const std::string& name) const;
    // The name and uid of every pod of which containers run at this moment, on machines of any state.
    [[nodiscard]] std::vector<std::pair<client::ObjectKey, std::string>> running() const;

    struct Machine;

  private:
    struct Container;

    base::Task<void> work(Machine& machine);
    base::Task<void> beat(Machine& machine);
    base::Task<base::Result<void>> register_node(Machine& machine);
    base::Task<base::Result<void>> report_node(Machine& machine);
    base::Task<base::Result<void>> renew_lease(Machine& machine);

    base::Task<base::Result<void>> sync(Machine& machine, client::ObjectKey key);
    base::Task<base::Result<void>> run(Machine& machine, client::ObjectPointer pod);
    base::Task<base::Result<void>> end(Machine& machine, client::ObjectPointer pod);
    base::Task<base::Result<void>> remove(Machine& machine, client::ObjectPointer pod);
    base::Task<base::Result<void>> report(Machine& machine, client::ObjectPointer pod, std::string phase,
                                          bool is_ready);
    Container& start_container(Machine& machine, const client::CachedObject& pod);
    void wake_later(Machine& machine, const client::CachedObject& pod, base::MonotonicTime when);
    void enqueue_all_of(Machine& machine);
    [[nodiscard]] base::MonotonicTime now() const { return ground_.executor.clock().now(); }

    NodeSettings settings_;
    Ground ground_;
    std::unique_ptr<client::Client> shared_client_;
    FaultyClient faulty_;
    std::unique_ptr<client::Informers> informers_;
    client::Informer& pods_;
    client::Informer& nodes_;
    std::map<std::string, std::unique_ptr<Machine>, std::less<>> machines_;
    bool is_stopping_ = false;
    std::size_t running_tasks_ = 0;
};

}  // namespace keelson::sim
