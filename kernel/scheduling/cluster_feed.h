// Keeps the cluster and the queue as the informers see them.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>

#include "kernel/base/clock.h"
#include "kernel/client/informer.h"
#include "kernel/scheduling/cluster.h"
#include "kernel/scheduling/queue.h"

namespace keelson::scheduling {

class ClusterFeed : public std::enable_shared_from_this<ClusterFeed> {
  public:
    // scheduler_names: whose pods go to the queue. on_change: something has happened that the loop should
    // look at.
    ClusterFeed(Cluster& cluster, PodQueue& queue, base::Clock& clock, std::set<std::string> scheduler_names,
                std::function<void()> on_change)
        : cluster_(cluster),
          queue_(queue),
          clock_(clock),
          scheduler_names_(std::move(scheduler_names)),
          on_change_(std::move(on_change)) {}

    // From now on every change is taken in, until the feed is dropped. The informers may live longer.
    void attach(client::Informers& informers);

    // One change; before or now may be null.
    void pod(const client::ObjectPointer& before, const client::ObjectPointer& now);
    void node(const client::ObjectPointer& before, const client::ObjectPointer& now);

    // Tells the queue and then the loop.
    void tell(const ClusterEvent& event);

  private:
    using Handler = void (ClusterFeed::*)(const client::ObjectPointer&, const client::ObjectPointer&);

    void watch(client::Informers& informers, const client::Collection& collection, Handler handler);
    void pod_gone(const client::CachedObject& object);
    void pod_on_node(const PodPointer& pod, const std::string& node);
    void claim(const client::ObjectPointer& before, const client::ObjectPointer& now);
    void volume(const client::ObjectPointer& before, const client::ObjectPointer& now);
    void storage_class(const client::ObjectPointer& before, const client::ObjectPointer& now);
    void csi_node(const client::ObjectPointer& before, const client::ObjectPointer& now);
    void csi_driver(const client::ObjectPointer& before, const client::ObjectPointer& now);
    void csi_capacity(const client::ObjectPointer& before, const client::ObjectPointer& now);
    void namespace_changed(const client::ObjectPointer& before, const client::ObjectPointer& now);
    void service(const client::ObjectPointer& before, const client::ObjectPointer& now);
    void replication_controller(const client::ObjectPointer& before, const client::ObjectPointer& now);
    void replica_set(const client::ObjectPointer& before, const client::ObjectPointer& now);
    void stateful_set(const client::ObjectPointer& before, const client::ObjectPointer& now);
    void budget(const client::ObjectPointer& before, const client::ObjectPointer& now);
    void tell_of(ClusterEvent::Kind kind);

    Cluster& cluster_;
    PodQueue& queue_;
    base::Clock& clock_;
    std::set<std::string> scheduler_names_;
    std::function<void()> on_change_;
    PodReader reader_;
};

}  // namespace keelson::scheduling
