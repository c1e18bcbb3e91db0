#include "kernel/client/informer.h"

#include <algorithm>
#include <charconv>
#include <list>
#include <utility>

#include "kernel/base/log.h"
#include "kernel/client/reflector.h"
#include "kernel/object/accessors/meta_v1.h"
#include "kernel/object/schema.h"

namespace keelson::client {
namespace {

using api_types::meta_v1::ObjectMeta;
using api_types::meta_v1::OwnerReference;
using base::Task;
using object::Value;

std::uint64_t parse_revision(std::string_view text) {
    std::uint64_t revision = 0;
    std::from_chars(text.data(), text.data() + text.size(), revision);
    return revision;
}

ObjectMeta metadata_of(Value object) {
    return ObjectMeta(object["metadata"]);
}

// One informer's state and its endless task; the task keeps it alive.
class CachingInformer final : public Informer,
                              public std::enable_shared_from_this<CachingInformer>,
                              private Reflector::Sink {
  public:
    CachingInformer(const Collection& collection, bool metadata_only, std::string field_selector,
                    Client& client, base::Executor& executor, base::RandomSource& random)
        : group_(collection.group),
          version_(collection.version),
          resource_(collection.resource),
          collection_{group_, version_, resource_},
          metadata_only_(metadata_only),
          executor_(executor),
          reflector_(client, random, {collection_.address(), std::move(field_selector)}, *this) {
        if (const object::Resource* known = object::find_resource(group_, version_, resource_)) {
            kind_ = known->kind;
            api_version_ = group_.empty() ? version_ : group_ + "/" + version_;
        }
    }

    [[nodiscard]] const Collection& collection() const override { return collection_; }
    [[nodiscard]] bool has_metadata_only() const { return metadata_only_; }
    [[nodiscard]] bool has_synced() const override { return has_synced_; }
    [[nodiscard]] std::uint64_t revision() const override { return revision_; }
    [[nodiscard]] std::size_t size() const override { return objects_.size(); }

    [[nodiscard]] ObjectPointer get(const ObjectKey& key) const override {
        const auto found = objects_.find(key);
        return found == objects_.end() ? nullptr : found->second;
    }

    [[nodiscard]] ObjectList list(std::string_view namespace_name) const override {
        ObjectList result;
        auto at = namespace_name.empty() ? objects_.begin()
                                         : objects_.lower_bound({std::string(namespace_name), ""});
        for (; at != objects_.end(); ++at) {
            if (!namespace_name.empty() && at->first.namespace_name != namespace_name) break;
            result.push_back(at->second);
        }
        return result;
    }

    [[nodiscard]] ObjectList controlled_by(std::string_view uid) const override {
        return by_controller_.find(uid);
    }

    [[nodiscard]] ObjectList indexed(std::string_view index, std::string_view value) const override {
        const auto found = indexes_.find(index);
        return found == indexes_.end() ? ObjectList() : found->second.entries.find(value);
    }

    void add_index(std::string name, IndexFunction values) override {
        auto [at, is_new] = indexes_.try_emplace(std::move(name), Index{std::move(values), {}});
        if (!is_new) return;
        for (const auto& [key, object] : objects_) at->second.insert(object);
    }

    void add_handler(Handler handler) override {
        const ObjectList present = list({});
        handlers_.push_back(std::move(handler));
        // Not through the reference: a handler may add handlers.
        const Handler told = handlers_.back();
        for (const ObjectPointer& object : present) told(nullptr, object);
    }

    void after_next_change(base::Callback callback) override { after_change_.push_back(std::move(callback)); }

    void start() {
        if (std::exchange(is_running_, true)) return;
        base::spawn(executor_, run(shared_from_this()));
    }
    void stop() { reflector_.stop(); }
    Task<void> wait_for_sync() {
        while (!has_synced_ && !reflector_.is_stopping()) {
            const base::Completion<bool> synced;
            waiting_for_sync_.push_back(synced);
            co_await synced;
        }
    }
    Task<void> wait_for_end() {
        if (is_running_) co_await ended_;
    }

  private:
    // Objects by a text; in the order of their names.
    class Entries {
      public:
        void insert(std::string_view value, const ObjectPointer& object) {
            auto at = by_value_.find(value);
            if (at == by_value_.end()) at = by_value_.emplace(std::string(value), Objects()).first;
            at->second.insert_or_assign(object->key(), object);
        }
        void erase(std::string_view value, const ObjectKey& key) {
            const auto at = by_value_.find(value);
            if (at == by_value_.end()) return;
            at->second.erase(key);
            if (at->second.empty()) by_value_.erase(at);
        }
        [[nodiscard]] ObjectList find(std::string_view value) const {
            ObjectList result;
            const auto at = by_value_.find(value);
            if (at == by_value_.end()) return result;
            result.reserve(at->second.size());
            for (const auto& [key, object] : at->second) result.push_back(object);
            return result;
        }

      private:
        using Objects = std::map<ObjectKey, ObjectPointer>;
        std::map<std::string, Objects, std::less<>> by_value_;
    };
    struct Index {
        IndexFunction values;
        Entries entries;

        void insert(const ObjectPointer& object) {
            std::vector<std::string> found;
            values(*object, found);
            for (const std::string& value : found) entries.insert(value, object);
        }
        void erase(const CachedObject& object) {
            std::vector<std::string> found;
            values(object, found);
            for (const std::string& value : found) entries.erase(value, object.key());
        }
    };

    static Task<void> run(std::shared_ptr<CachingInformer> self) {
        auto following = self->reflector_.run();
        co_await following;
        self->wake_those_who_wait_for_sync();
        self->ended_.complete(true);
    }

    void begin_list() override { listed_.clear(); }
    void take(const Page& page) override {
        for (const Value item : page.items) {
            ObjectPointer object = cached(item);
            ObjectKey key = object->key();
            listed_.insert_or_assign(std::move(key), std::move(object));
        }
    }
    void end_list(const std::string& resource_version) override {
        replace_all(std::exchange(listed_, {}), resource_version);
        has_synced_ = true;
        wake_those_who_wait_for_sync();
    }
    void apply(const std::vector<WatchEvent>& events) override {
        for (const WatchEvent& event : events) apply(event);
        tell_of_progress();
    }
    void fail(const base::Status& failure) override {
        base::log_debug("an informer tries again", {{"resource", resource_}, {"error", failure}});
    }

    ObjectPointer cached(Value object) const {
        if (metadata_only_) keep_metadata_only(object);
        return std::make_shared<const CachedObject>(object, kind_, api_version_);
    }

    static void keep_metadata_only(Value object) {
        for (object::Member& member : object.members())
            if (member.name != "metadata" && member.name != "kind" && member.name != "apiVersion")
                member.value = Value();
        object.drop_absent();
    }

    // What a new list says against what was seen before.
    void replace_all(const std::map<ObjectKey, ObjectPointer>& seen, const std::string& version) {
        ObjectList gone;
        for (const auto& [key, object] : objects_)
            if (!seen.contains(key)) gone.push_back(object);
        for (const ObjectPointer& object : gone) change(object, nullptr);
        for (const auto& [key, object] : seen) {
            const ObjectPointer before = get(key);
            if (!before || before->revision() != object->revision()) put(before, object);
        }
        revision_ = std::max(revision_, parse_revision(version));
        tell_of_progress();
    }

    void apply(const WatchEvent& event) {
        if (event.type != WatchEvent::Type::bookmark) {
            const ObjectPointer object = cached(event.object.root);
            const ObjectPointer before = get(object->key());
            if (event.type != WatchEvent::Type::removed)
                put(before, object);
            else if (before)
                change(before, nullptr);
        }
        revision_ = std::max(revision_, parse_revision(event.resource_version));
    }

    // An object that was replaced by another of the same name is a removal and an addition.
    void put(const ObjectPointer& before, const ObjectPointer& now) {
        if (before && before->uid() != now->uid()) {
            change(before, nullptr);
            change(nullptr, now);
        } else {
            change(before, now);
        }
    }

    void change(const ObjectPointer& before, const ObjectPointer& now) {
        if (before) {
            if (!before->controller_uid().empty())
                by_controller_.erase(before->controller_uid(), before->key());
            for (auto& [name, index] : indexes_) index.erase(*before);
        }
        if (now) {
            objects_.insert_or_assign(now->key(), now);
            if (!now->controller_uid().empty()) by_controller_.insert(now->controller_uid(), now);
            for (auto& [name, index] : indexes_) index.insert(now);
        } else {
            objects_.erase(before->key());
        }
        // A list, so that a handler may add handlers.
        for (const Handler& handler : handlers_) handler(before, now);
    }

    void tell_of_progress() {
        for (base::Callback& callback : std::exchange(after_change_, {})) callback();
    }

    void wake_those_who_wait_for_sync() {
        for (const auto& waiter : std::exchange(waiting_for_sync_, {})) waiter.complete(true);
    }

    std::string group_;
    std::string version_;
    std::string resource_;
    Collection collection_;
    bool metadata_only_;
    base::Executor& executor_;
    std::string_view kind_;
    std::string api_version_;

    std::map<ObjectKey, ObjectPointer> objects_;
    Entries by_controller_;
    std::map<std::string, Index, std::less<>> indexes_;
    std::list<Handler> handlers_;
    std::vector<base::Callback> after_change_;
    std::vector<base::Completion<bool>> waiting_for_sync_;
    std::map<ObjectKey, ObjectPointer> listed_;  // by a list that is under way
    std::uint64_t revision_ = 0;
    Reflector reflector_;
    base::Completion<bool> ended_;
    bool has_synced_ = false;
    bool is_running_ = false;
};

class SharedInformers final : public Informers {
  public:
    SharedInformers(Client& client, base::Executor& executor, base::RandomSource& random,
                    FieldSelectors selectors)
        : client_(client), executor_(executor), random_(random), selectors_(std::move(selectors)) {}

    Informer& of(const Collection& collection) override {
        if (CachingInformer* known = find(collection, false)) return *known;
        return make(collection, false);
    }

    Informer& metadata_of(const Collection& collection) override {
        if (CachingInformer* known = find(collection, false)) return *known;
        if (CachingInformer* known = find(collection, true)) return *known;
        return make(collection, true);
    }

    void start() override {
        is_running_ = true;
        for (const auto& informer : informers_) informer->start();
    }

    Task<void> wait_for_sync() override {
        const auto asked_for = informers_;
        for (const auto& informer : asked_for) {
            auto waiting = informer->wait_for_sync();
            co_await waiting;
        }
    }

    Task<void> stop() override {
        is_running_ = false;
        const auto all = informers_;
        for (const auto& informer : all) informer->stop();
        for (const auto& informer : all) {
            auto waiting = informer->wait_for_end();
            co_await waiting;
        }
    }

  private:
    [[nodiscard]] CachingInformer* find(const Collection& collection, bool metadata_only) const {
        for (const auto& informer : informers_)
            if (informer->collection() == collection && informer->has_metadata_only() == metadata_only)
                return informer.get();
        return nullptr;
    }
    Informer& make(const Collection& collection, bool metadata_only) {
        const auto selector = selectors_.find(collection);
        informers_.push_back(std::make_shared<CachingInformer>(
            collection, metadata_only, selector == selectors_.end() ? std::string() : selector->second,
            client_, executor_, random_));
        if (is_running_) informers_.back()->start();
        return *informers_.back();
    }

    Client& client_;
    base::Executor& executor_;
    base::RandomSource& random_;
    FieldSelectors selectors_;
    std::vector<std::shared_ptr<CachingInformer>> informers_;
    bool is_running_ = false;
};

}  // namespace

CachedObject::CachedObject(Value object, std::string_view kind, std::string_view api_version) {
    const Value metadata = object["metadata"];
    metadata.erase("managedFields");
    constexpr std::size_t kRoomForTypes = 256;
    object::Arena& arena = document_.arena;
    arena.reserve(object.clone_bytes() + kRoomForTypes);
    document_.root = object.clone(arena);
    if (!object.has("kind")) document_.root.set(arena, "kind", Value::string(arena, kind));
    if (!object.has("apiVersion")) document_.root.set(arena, "apiVersion", Value::string(arena, api_version));

    const ObjectMeta own = metadata_of(document_.root);
    key_ = {std::string(own.namespace_()), std::string(own.name())};
    uid_ = own.uid();
    revision_ = parse_revision(own.resource_version());
    for (const OwnerReference owner : own.owner_references())
        if (owner.controller()) controller_uid_ = owner.uid();
}

bool CachedObject::is_being_deleted() const {
    return metadata_of(document_.root).has_deletion_timestamp();
}

object::Document CachedObject::clone() const {
    object::Document copy;
    copy.root = document_.root.clone(copy.arena);
    return copy;
}

std::unique_ptr<Informers> Informers::make(Client& client, base::Executor& executor,
                                           base::RandomSource& random, FieldSelectors selectors) {
    return std::make_unique<SharedInformers>(client, executor, random, std::move(selectors));
}

}  // namespace keelson::client
