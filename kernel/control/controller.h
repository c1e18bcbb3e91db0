// What a controller is: one file that says what it watches, which keys an event means, and what to do for a
// key.
//
// Controllers are level-triggered: reconcile() looks at the present state only, makes the smallest change,
// and may be called at any time again. A key is never reconciled twice at the same time. The engine runs a
// key again when it failed (with growing pauses), when an event named it, or when reconcile() asked for it;
// and only once the informers show what the key's own last reconcile wrote, so that nobody acts on a view
// that is older than his own writes.
//
// Everything runs on the one thread of the engine's executor.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/executor.h"
#include "kernel/base/ids.h"
#include "kernel/base/metrics.h"
#include "kernel/base/task.h"
#include "kernel/client/client.h"
#include "kernel/client/collections.h"
#include "kernel/client/event_recorder.h"
#include "kernel/client/informer.h"

namespace keelson::control {

using client::Collection;
using client::Informer;
using client::ObjectKey;
using client::ObjectList;
using client::ObjectPointer;

// What controllers are made of. All of it outlives them.
struct Surroundings {
    client::Client& client;
    client::Informers& informers;
    base::Executor& executor;
    base::RandomSource& random;
    base::Metrics& metrics;

    [[nodiscard]] base::WallTime now() const { return executor.clock().wall_now(); }
    [[nodiscard]] std::unique_ptr<client::EventRecorder> recorder(std::string component) const {
        return client::EventRecorder::make(client, executor, random, std::move(component));
    }
};

// The queue of one controller, as its event handlers see it.
class Queue {
  public:
    virtual ~Queue() = default;
    virtual void add(const ObjectKey& key) = 0;
    virtual void add_after(const ObjectKey& key, base::Duration delay) = 0;
};

// The writes of one reconcile. The engine holds the key back until the informers have seen them. Values given
// to a call must live until its task has ended.
class Writer {
  public:
    using Object = client::Client::Object;

    virtual ~Writer() = default;
    // Into the namespace that the object names.
    virtual base::Task<Object> create(const Collection& collection, object::Value object) = 0;
    virtual base::Task<Object> update(const Collection& collection, object::Value object) = 0;
    virtual base::Task<Object> update_status(const Collection& collection, object::Value object) = 0;
    virtual base::Task<Object> patch(const Collection& collection, ObjectKey key, client::PatchType type,
                                     object::Value patch, std::string_view subresource = {}) = 0;
    // Only the very object that was seen: another of its name stays.
    virtual base::Task<base::Result<void>> remove(const Collection& collection, ObjectPointer object,
                                                  client::DeleteOptions options = {}) = 0;
};

// When a key that succeeded is to be looked at again without an event.
struct Again {
    std::optional<base::Duration> after;
};
inline base::Result<Again> done() {
    return Again{};
}
inline base::Result<Again> again_after(base::Duration delay) {
    return Again{delay};
}

class Controller {
  public:
    virtual ~Controller() = default;
    // "replicaset": in metrics and the log.
    [[nodiscard]] virtual std::string_view name() const = 0;
    // Adds handlers and indexes to informers; called once, before anything runs. The queue outlives the
    // handlers' use.
    virtual void watch(Queue& queue) = 0;
    virtual base::Task<base::Result<Again>> reconcile(ObjectKey key, Writer& writer) = 0;
};

// The commonest handlers. Every event about an object is one of its own key:
void enqueue_objects(Informer& informer, Queue& queue);
// Every event about a dependent is one of the owner that controls it, now and before; but for changes that
// say nothing to the owner, if is_same is given. `owner_kind` is the kind of the owners.
using IsSame = std::function<bool(const client::CachedObject& before, const client::CachedObject& now)>;
void enqueue_controllers_of(Informer& dependents, std::string_view owner_kind, const Informer& owners,
                            Queue& queue, IsSame is_same = nullptr);

}  // namespace keelson::control
