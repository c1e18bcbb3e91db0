#include "kernel/node/object_cache.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "kernel/base/log.h"
#include "kernel/client/reflector.h"
#include "kernel/object/names.h"
#include "kernel/object/schema.h"

namespace keelson::node {
namespace {

using base::Reason;
using base::Result;
using base::Status;
using base::Task;
using client::Client;
using client::Collection;
using client::ObjectKey;
using client::ObjectPointer;
using client::WatchEvent;

constexpr std::int64_t kPageSize = 2;
// What a collection's objects are called: {"ConfigMap", "v1"}.
struct Kind {
    std::string kind;
    std::string api_version;
};

Kind kind_of(const Collection& collection) {
    const object::Resource* known =
        object::find_resource(collection.group, collection.version, collection.resource);
    if (!known) return {};
    std::string version(collection.version);
    if (!collection.group.empty()) version = std::string(collection.group) + "/" + version;
    return {std::string(known->kind), std::move(version)};
}

// One object, its users and the endless task that watches it; the task keeps it alive.
class Entry : public std::enable_shared_from_this<Entry>, private client::Reflector::Sink {
  public:
    Entry(Client& client, base::RandomSource& random, client::Address address,
          const ObjectCache::Changed& changed)
        : address_(std::move(address)),
          kind_(kind_of({address_.group, address_.version, address_.resource})),
          changed_(changed),
          reflector_(client, random, {collection(), "metadata.name=" + address_.name, kPageSize}, *this) {}

    void start(base::Executor& executor) { base::spawn(executor, run(shared_from_this())); }
    void stop() { reflector_.stop(); }
    Task<void> wait_for_end() { co_await ended_; }

    // What is known; waits for the first news.
    Task<Result<ObjectPointer>> get() {
        const auto self = shared_from_this();
        while (!is_known_ && !failure_ && !reflector_.is_stopping()) {
            const base::Completion<bool> known;
            waiting_.push_back(known);
            co_await known;
        }
        if (object_) co_return object_;
        if (is_known_) co_return missing();
        if (failure_) co_return *failure_;
        co_return Status(Reason::service_unavailable, "the node is stopping");
    }

    // A failure is asked anew: somebody may have mended it.
    void forget_failure() {
        if (!failure_) return;
        failure_.reset();
        reflector_.retry();
    }

    std::set<std::string> users;

  private:
    static Task<void> run(std::shared_ptr<Entry> self) {
        auto following = self->reflector_.run();
        co_await following;
        self->wake();
        self->ended_.complete(true);
    }

    [[nodiscard]] client::Address collection() const {
        client::Address all = address_;
        all.name.clear();
        return all;
    }

    void begin_list() override { listed_ = nullptr; }
    void take(const client::Page& page) override {
        if (!page.items.empty()) listed_ = cached(page.items.front());
    }
    void end_list(const std::string& /*resource_version*/) override { put(std::exchange(listed_, nullptr)); }
    void apply(const std::vector<WatchEvent>& events) override {
        for (const WatchEvent& event : events)
            if (event.type != WatchEvent::Type::bookmark)
                put(event.type == WatchEvent::Type::removed ? nullptr : cached(event.object.root));
    }
    void fail(const Status& failure) override {
        if (!is_known_) tell_failure(failure);
        base::log_debug("watching an object is tried again",
                        {{"resource", address_.resource}, {"name", address_.name}, {"error", failure}});
    }

    [[nodiscard]] ObjectPointer cached(object::Value object) const {
        return std::make_shared<const client::CachedObject>(object, kind_.kind, kind_.api_version);
    }

    void put(ObjectPointer now) {
        const bool is_new = !is_known_;
        const bool is_same = now && object_ ? now->revision() == object_->revision() : !now && !object_;
        object_ = std::move(now);
        is_known_ = true;
        const bool had_failed = std::exchange(failure_, std::nullopt).has_value() || has_told_failure_;
        has_told_failure_ = false;
        wake();
        // Those who asked first get the answer itself.
        if (is_same || (is_new && !had_failed)) return;
        for (const std::string& user : std::set(users)) changed_(user);
    }

    void tell_failure(const Status& failure) {
        failure_ = failure;
        has_told_failure_ = true;
        wake();
    }

    void wake() {
        for (const auto& waiter : std::exchange(waiting_, {})) waiter.complete(true);
    }

    // As the kubelet names what it does not find: configmap "x" not found.
    [[nodiscard]] Status missing() const {
        Status status(Reason::not_found,
                      object::lower_case(kind_.kind) + " \"" + address_.name + "\" not found");
        base::StatusDetails details;
        details.name = address_.name;
        details.group = address_.group;
        details.kind = address_.resource;
        return status.with_details(std::move(details));
    }

    client::Address address_;
    Kind kind_;
    const ObjectCache::Changed& changed_;
    ObjectPointer object_;
    std::optional<Status> failure_;
    ObjectPointer listed_;  // by a list that is under way
    client::Reflector reflector_;
    std::vector<base::Completion<bool>> waiting_;
    base::Completion<bool> ended_;
    bool is_known_ = false;
    bool has_told_failure_ = false;
};

class WatchingCache final : public ObjectCache {
  public:
    WatchingCache(Client& client, base::Executor& executor, base::RandomSource& random, Changed changed)
        : client_(client), executor_(executor), random_(random), changed_(std::move(changed)) {}

    Task<Result<ObjectPointer>> get(Collection collection, ObjectKey key, std::string user) override {
        if (is_stopped_) co_return Status(Reason::service_unavailable, "the node is stopping");
        const std::shared_ptr<Entry> entry = entry_of(collection, key);
        entry->users.insert(std::move(user));
        auto getting = entry->get();
        co_return co_await getting;
    }

    void release(const std::string& user) override {
        for (auto at = entries_.begin(); at != entries_.end();) {
            Entry& entry = *at->second;
            const bool is_last = entry.users.erase(user) > 0 && entry.users.empty();
            if (is_last) {
                entry.stop();
                ending_.push_back(at->second);
            }
            at = is_last ? entries_.erase(at) : std::next(at);
        }
        std::erase_if(ending_, [](const auto& weak) { return weak.expired(); });
    }

    Task<void> stop() override {
        is_stopped_ = true;
        std::vector<std::shared_ptr<Entry>> all;
        for (const auto& [name, entry] : std::exchange(entries_, {})) all.push_back(entry);
        for (const auto& weak : std::exchange(ending_, {}))
            if (auto entry = weak.lock()) all.push_back(std::move(entry));
        for (const auto& entry : all) entry->stop();
        for (const auto& entry : all) {
            auto waiting = entry->wait_for_end();
            co_await waiting;
        }
    }

  private:
    using Name = std::pair<std::vector<std::string>, ObjectKey>;

    std::shared_ptr<Entry> entry_of(const Collection& collection, const ObjectKey& key) {
        Name name{{std::string(collection.group), std::string(collection.version),
                   std::string(collection.resource)},
                  key};
        std::shared_ptr<Entry>& entry = entries_[std::move(name)];
        if (entry) {
            entry->forget_failure();
        } else {
            entry = std::make_shared<Entry>(client_, random_,
                                            collection.address(key.namespace_name, key.name), changed_);
            entry->start(executor_);
        }
        return entry;
    }

    Client& client_;
    base::Executor& executor_;
    base::RandomSource& random_;
    Changed changed_;
    std::map<Name, std::shared_ptr<Entry>> entries_;
    std::vector<std::weak_ptr<Entry>> ending_;
    bool is_stopped_ = false;
};

}  // namespace

std::unique_ptr<ObjectCache> ObjectCache::make(Client& client, base::Executor& executor,
                                               base::RandomSource& random, Changed changed) {
    return std::make_unique<WatchingCache>(client, executor, random, std::move(changed));
}

}  // namespace keelson::node
