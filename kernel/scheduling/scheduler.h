// The scheduler: finds a node for every pod that has none
// (https://kubernetes.io/docs/concepts/scheduling-eviction/).
//
// Decisions are made one after the other, each without waiting; writes (bindings, conditions, evictions) run
// beside them, a bounded number at once. A pod counts on its node from the decision on, until its binding is
// seen or fails.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "kernel/base/executor.h"
#include "kernel/base/ids.h"
#include "kernel/base/metrics.h"
#include "kernel/base/task.h"
#include "kernel/client/client.h"
#include "kernel/client/informer.h"
#include "kernel/scheduling/decision.h"
#include "kernel/scheduling/queue.h"

namespace keelson::scheduling {

struct SchedulerOptions {
    std::vector<Profile> profiles = std::vector<Profile>(1);
    QueueSettings queue;
    std::size_t bindings_at_once = 256;
    // Decisions in a row before others on the executor get their turn.
    std::size_t decisions_in_a_row = 16;
    // How long a pod waits on its node for its volumes.
    base::Duration volume_timeout = std::chrono::minutes(10);
    base::Metrics* metrics = nullptr;
};

struct SchedulerStatistics {
    std::uint64_t placed = 0;   // decisions for a node
    std::uint64_t bound = 0;    // bindings written
    std::uint64_t refused = 0;  // decisions that no node fits
    std::uint64_t failed = 0;   // bindings that could not be written
    std::uint64_t preemptions = 0;
    std::uint64_t victims = 0;
    std::size_t active = 0;  // pods in the queue by place
    std::size_t backing_off = 0;
    std::size_t aside = 0;
    std::size_t gated = 0;
    std::size_t binding = 0;  // bindings under way
};

// Lives on the one thread of the executor.
class Scheduler {
  public:
    // All must outlive the task of run(). `random` breaks ties.
    Scheduler(SchedulerOptions options, client::Client& client, client::Informers& informers,
              base::Executor& executor, base::RandomSource& random);
    ~Scheduler();
    Scheduler(const Scheduler&) = delete;
    Scheduler& operator=(const Scheduler&) = delete;

    // Waits for the informers, which somebody starts, then schedules until stop() and all writes have ended.
    // Once.
    base::Task<void> run();
    void stop();
    [[nodiscard]] SchedulerStatistics statistics() const;
    [[nodiscard]] const Cluster& cluster() const;

  private:
    class Loop;
    std::shared_ptr<Loop> loop_;
};

}  // namespace keelson::scheduling
