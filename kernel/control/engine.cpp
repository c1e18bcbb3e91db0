#include "kernel/control/engine.h"

#include <charconv>
#include <chrono>
#include <utility>

#include "kernel/base/log.h"
#include "kernel/client/work_queue.h"
#include "kernel/object/accessors/meta_v1.h"

namespace keelson::control {
namespace {

using api_types::meta_v1::ObjectMeta;
using base::MonotonicTime;
using base::Result;
using base::Task;
using client::PatchType;
using object::Value;

constexpr unsigned kConflictFailures = 7;
constexpr base::Duration kConflictPause = std::chrono::milliseconds(500);

// A write that the informers have yet to show.
struct Expectation {
    Informer* informer = nullptr;
    std::uint64_t revision = 0;  // of a write that left an object
    ObjectKey key;               // of a removal
    std::string uid;

    [[nodiscard]] bool is_met() const {
        if (uid.empty()) return informer->revision() >= revision;
        const ObjectPointer object = informer->get(key);
        return !object || object->uid() != uid || object->is_being_deleted();
    }
};

// The first that is not met; null: the key may run.
const Expectation* first_open(const std::vector<Expectation>& expectations) {
    for (const Expectation& expectation : expectations)
        if (!expectation.is_met()) return &expectation;
    return nullptr;
}

class ExpectingWriter final : public Writer {
  public:
    explicit ExpectingWriter(const Surroundings& surroundings) : surroundings_(surroundings) {}

    Task<Object> create(const Collection& collection, Value object) override {
        const ObjectMeta metadata(object["metadata"]);
        auto creating =
            surroundings_.client.create(collection.address(metadata.namespace_()), object, options());
        Object created = co_await creating;
        co_return note(collection, std::move(created));
    }
    Task<Object> update(const Collection& collection, Value object) override {
        auto updating = surroundings_.client.update(address_of(collection, object), object, options());
        Object updated = co_await updating;
        co_return note(collection, std::move(updated));
    }
    Task<Object> update_status(const Collection& collection, Value object) override {
        auto updating = surroundings_.client.update_status(address_of(collection, object), object, options());
        Object updated = co_await updating;
        co_return note(collection, std::move(updated));
    }
    Task<Object> patch(const Collection& collection, ObjectKey key, PatchType type, Value patch,
                       std::string_view subresource) override {
        auto patching = surroundings_.client.patch(
            collection.address(key.namespace_name, key.name, subresource), type, patch, options());
        Object patched = co_await patching;
        co_return note(collection, std::move(patched));
    }
    Task<Result<void>> remove(const Collection& collection, ObjectPointer object,
                              client::DeleteOptions delete_options) override {
        delete_options.preconditions.uid = object->uid();
        const ObjectKey key = object->key();
        auto removing = surroundings_.client.remove(collection.address(key.namespace_name, key.name),
                                                    std::move(delete_options));
        const Object removed = co_await removing;
        if (!removed) co_return removed.error();
        Expectation expectation;
        expectation.informer = &surroundings_.informers.metadata_of(collection);
        expectation.key = key;
        expectation.uid = object->uid();
        expectations.push_back(std::move(expectation));
        co_return base::ok();
    }

    std::vector<Expectation> expectations;

  private:
    static client::WriteOptions options() {
        client::WriteOptions options;
        options.field_manager = "keelson-controllers";
        return options;
    }
    static client::Address address_of(const Collection& collection, Value object) {
        const ObjectMeta metadata(object["metadata"]);
        return collection.address(metadata.namespace_(), metadata.name());
    }
    Object note(const Collection& collection, Object written) {
        if (!written) return written;
        const std::string_view text = ObjectMeta(written->root["metadata"]).resource_version();
        Expectation expectation;
        std::from_chars(text.data(), text.data() + text.size(), expectation.revision);
        expectation.informer = &surroundings_.informers.metadata_of(collection);
        expectations.push_back(std::move(expectation));
        return written;
    }

    const Surroundings& surroundings_;
};

// One controller with its queue and its workers.
class Runner final : public Queue {
  public:
    Runner(std::unique_ptr<Controller> controller, std::size_t workers, const Surroundings& surroundings)
        : surroundings_(surroundings),
          controller_(std::move(controller)),
          worker_count_(workers),
          queue_(surroundings.executor, surroundings.random),
          depth_(surroundings.metrics.gauge("workqueue_depth", "Keys that wait.", labels())),
          adds_(surroundings.metrics.counter("workqueue_adds_total", "Keys added by events.", labels())),
          retries_(surroundings.metrics.counter("workqueue_retries_total", "Keys tried again.", labels())),
          work_seconds_(surroundings.metrics.histogram("workqueue_work_duration_seconds",
                                                       "How long a reconcile took, waiting included.",
                                                       base::latency_bounds_seconds(), labels())) {}

    void add(const ObjectKey& key) override {
        adds_.add();
        queue_.add(key);
    }
    void add_after(const ObjectKey& key, base::Duration delay) override { queue_.add_after(key, delay); }

    void watch() { controller_->watch(*this); }
    void start() {
        running_ = worker_count_;
        for (std::size_t count = 0; count < worker_count_; ++count)
            base::spawn(surroundings_.executor, work());
    }
    void shut_down() { queue_.shut_down(); }
    Task<void> wait_for_end() {
        if (running_ > 0) co_await ended_;
    }
    [[nodiscard]] bool is_idle() const { return queue_.is_idle() && held_back_ == 0; }

  private:
    [[nodiscard]] base::MetricLabels labels() const { return {{"name", std::string(controller_->name())}}; }

    Task<void> work() {
        while (true) {
            auto getting = queue_.get();
            const std::optional<ObjectKey> key = co_await getting;
            if (!key) break;
            depth_.set(static_cast<double>(queue_.depth()));
            const bool has_to_wait = hold_back(*key);
            if (!has_to_wait) {
                auto working = reconcile(*key);
                co_await working;
            }
            queue_.done(*key);
        }
        if (--running_ == 0) ended_.complete(true);
    }

    // True when the informers do not show the key's own writes yet; it comes again when they might.
    bool hold_back(const ObjectKey& key) {
        const auto found = holds_.find(key);
        if (found == holds_.end()) return false;
        const Expectation* open = first_open(found->second);
        if (!open) {
            holds_.erase(found);
            return false;
        }
        ++held_back_;
        open->informer->after_next_change([this, key, alive = std::weak_ptr<bool>(alive_)] {
            if (alive.expired()) return;
            --held_back_;
            queue_.add(key);
        });
        return true;
    }

    Task<void> reconcile(ObjectKey key) {
        ExpectingWriter writer(surroundings_);
        const MonotonicTime begin = surroundings_.executor.clock().now();
        auto working = controller_->reconcile(key, writer);
        const Result<Again> result = co_await working;
        const base::Duration took = surroundings_.executor.clock().now() - begin;
        work_seconds_.observe(std::chrono::duration<double>(took).count());
        if (!writer.expectations.empty()) holds_[key] = std::move(writer.expectations);
        if (!result) {
            tell(key, result.error());
            retries_.add();
            try_again(key, result.error());
            co_return;
        }
        queue_.forget(key);
        if (result->after) queue_.add_after(key, *result->after);
    }

    // A conflict says that somebody else was quicker, however often: no reason to wait ever longer.
    void try_again(const ObjectKey& key, const base::Status& status) {
        if (status.code() == 409 && queue_.failures(key) >= kConflictFailures)
            queue_.add_after(key, kConflictPause);
        else
            queue_.add_rate_limited(key);
    }

    // Another's write in between is the common case and mends itself; what may not be made is told by an
    // event.
    void tell(const ObjectKey& key, const base::Status& status) const {
        const bool is_usual = status.code() == 409 || status.code() == 404 || status.code() == 403;
        base::log(is_usual ? base::LogLevel::debug : base::LogLevel::warning, "a reconcile is tried again",
                  {{"controller", controller_->name()}, {"key", key.text()}, {"error", status}});
    }

    const Surroundings& surroundings_;
    std::unique_ptr<Controller> controller_;
    std::size_t worker_count_;
    client::WorkQueue<ObjectKey> queue_;
    std::map<ObjectKey, std::vector<Expectation>> holds_;
    std::size_t held_back_ = 0;
    std::size_t running_ = 0;
    base::Completion<bool> ended_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
    base::Gauge& depth_;
    base::Counter& adds_;
    base::Counter& retries_;
    base::Histogram& work_seconds_;
};

class ControllerEngine final : public Engine {
  public:
    explicit ControllerEngine(const Surroundings& surroundings) : surroundings_(surroundings) {}

    void add(std::unique_ptr<Controller> controller, std::size_t workers) override {
        runners_.push_back(std::make_unique<Runner>(std::move(controller), workers, surroundings_));
    }

    Task<void> start() override {
        for (const auto& runner : runners_) runner->watch();
        surroundings_.informers.start();
        auto syncing = surroundings_.informers.wait_for_sync();
        co_await syncing;
        for (const auto& runner : runners_) runner->start();
    }

    Task<void> stop() override {
        for (const auto& runner : runners_) runner->shut_down();
        for (const auto& runner : runners_) {
            auto waiting = runner->wait_for_end();
            co_await waiting;
        }
    }

    [[nodiscard]] bool is_idle() const override {
        for (const auto& runner : runners_)
            if (!runner->is_idle()) return false;
        return true;
    }

  private:
    Surroundings surroundings_;
    std::vector<std::unique_ptr<Runner>> runners_;
};

}  // namespace

void enqueue_objects(Informer& informer, Queue& queue) {
    informer.add_handler([&queue](const ObjectPointer& before, const ObjectPointer& now) {
        queue.add(now ? now->key() : before->key());
    });
}

namespace {

// The key of the owner, if it is of that kind and still the same object.
void enqueue_controller_of(const ObjectPointer& dependent, std::string_view owner_kind,
                           const Informer& owners, Queue& queue) {
    if (!dependent || dependent->controller_uid().empty()) return;
    for (const auto owner : ObjectMeta(dependent->root()["metadata"]).owner_references()) {
        if (!owner.controller() || owner.kind() != owner_kind) continue;
        const ObjectKey key{dependent->key().namespace_name, std::string(owner.name())};
        const ObjectPointer known = owners.get(key);
        if (known && known->uid() == owner.uid()) queue.add(key);
    }
}

}  // namespace

void enqueue_controllers_of(Informer& dependents, std::string_view owner_kind, const Informer& owners,
                            Queue& queue, IsSame is_same) {
    dependents.add_handler(
        [owner_kind = std::string(owner_kind), &owners, &queue, is_same = std::move(is_same)](
            const ObjectPointer& before, const ObjectPointer& now) {
            const bool is_same_owner = before && now && before->controller_uid() == now->controller_uid();
            if (is_same_owner && is_same && is_same(*before, *now)) return;
            if (before && !is_same_owner) enqueue_controller_of(before, owner_kind, owners, queue);
            enqueue_controller_of(now, owner_kind, owners, queue);
        });
}

std::unique_ptr<Engine> Engine::make(const Surroundings& surroundings) {
    return std::make_unique<ControllerEngine>(surroundings);
}

}  // namespace keelson::control
