#include "kernel/control/namespace.h"

#include <algorithm>
#include <map>

#include "kernel/base/gather.h"
#include "kernel/control/collections.h"
#include "kernel/object/accessors/core_v1.h"
#include "kernel/object/accessors/meta_v1.h"
#include "kernel/object/conditions.h"

namespace keelson::control {
namespace {

using api_types::core_v1::Namespace;
using api_types::meta_v1::ObjectMeta;
using base::Result;
using base::Task;
using object::Arena;
using object::Document;
using object::Value;

constexpr Collection kNamespaces = client::collections::namespaces;
constexpr Collection kEvents = client::collections::events;
constexpr std::string_view kFinalizer = "kubernetes";
constexpr std::size_t kRemovalsAtOnce = 128;

// What is in a namespace, or what keeps it there.
struct Content {
    ObjectList removable;  // with their collections
    std::vector<Collection> collections;
    std::map<std::string, std::size_t> remaining;   // "deployments.apps" and how many
    std::map<std::string, std::size_t> finalizers;  // what waits for them
    bool has_pods = false;
};

std::string joined(const std::map<std::string, std::size_t>& counts, std::string_view between) {
    std::string text;
    for (const auto& [name, count] : counts) {
        if (!text.empty()) text += ", ";
        text += name + std::string(between) + std::to_string(count) + " resource instances";
    }
    return text;
}

class NamespaceController final : public Controller {
  public:
    explicit NamespaceController(const Surroundings& surroundings)
        : surroundings_(surroundings), namespaces_(surroundings.informers.of(kNamespaces)) {
        for (const KnownCollection& known : owned_collections())
            if (known.is_namespaced)
                contents_.push_back(&surroundings.informers.metadata_of(known.collection));
    }

    [[nodiscard]] std::string_view name() const override { return "namespace"; }

    void watch(Queue& queue) override {
        namespaces_.add_handler([&queue](const ObjectPointer&, const ObjectPointer& now) {
            if (now && now->is_being_deleted()) queue.add(now->key());
        });
        for (Informer* informer : contents_)
            informer->add_handler([this, &queue](const ObjectPointer& before, const ObjectPointer& now) {
                const ObjectKey key{"", now ? now->key().namespace_name : before->key().namespace_name};
                const ObjectPointer owner = namespaces_.get(key);
                if (owner && owner->is_being_deleted()) queue.add(key);
            });
    }

    Task<Result<Again>> reconcile(ObjectKey key, Writer& writer) override {
        const ObjectPointer owner = namespaces_.get(key);
        if (!owner || !owner->is_being_deleted()) co_return done();
        const auto finalizers = Namespace(owner->root()).spec().finalizers();
        if (finalizers.empty()) co_return done();
        const Content content = look(key.name);
        auto removing = remove_all(content, writer);
        KEELSON_CO_TRY(const std::size_t removed, co_await removing);
        // What was just removed is seen as gone, or as waiting, when the informers show it.
        if (removed > 0) co_return done();
        auto telling = write_conditions(owner, content, writer);
        KEELSON_CO_TRY_VOID(co_await telling);
        if (!content.remaining.empty()) co_return done();
        auto checking = is_really_empty(key.name);
        KEELSON_CO_TRY(const bool is_empty, co_await checking);
        if (!is_empty) co_return again_after(std::chrono::seconds(1));
        auto clearing = remove_events(key.name);
        KEELSON_CO_TRY_VOID(co_await clearing);
        auto finishing = finalize(owner);
        KEELSON_CO_TRY_VOID(co_await finishing);
        co_return done();
    }

  private:
    [[nodiscard]] Content look(const std::string& namespace_name) const {
        Content content;
        for (const Informer* informer : contents_) {
            const Collection& collection = informer->collection();
            const ObjectList objects = informer->list(namespace_name);
            if (objects.empty()) continue;
            content.remaining[std::string(collection.resource) + "." + std::string(collection.group)] +=
                objects.size();
            content.has_pods |= collection == client::collections::pods;
            for (const ObjectPointer& object : objects) {
                for (const std::string_view finalizer : ObjectMeta(object->root()["metadata"]).finalizers())
                    ++content.finalizers[std::string(finalizer)];
                if (object->is_being_deleted()) continue;
                content.removable.push_back(object);
                content.collections.push_back(collection);
            }
        }
        return content;
    }

    // Pods may need what else is there until they have ended.
    Task<Result<std::size_t>> remove_all(const Content& content, Writer& writer) {
        std::vector<Task<Result<void>>> tasks;
        for (std::size_t index = 0; index < content.removable.size(); ++index) {
            const Collection& collection = content.collections[index];
            if (content.has_pods && collection != client::collections::pods) continue;
            if (tasks.size() == kRemovalsAtOnce) break;
            client::DeleteOptions options;
            options.propagation_policy = "Background";
            tasks.push_back(writer.remove(collection, content.removable[index], options));
        }
        const std::size_t count = tasks.size();
        auto removing = base::gather(std::move(tasks));
        const std::vector<Result<void>> results = co_await removing;
        for (const Result<void>& result : results)
            if (!result && result.error().code() != 404) co_return result.error();
        co_return count;
    }

    Task<Result<void>> write_conditions(ObjectPointer owner, const Content& content, Writer& writer) {
        Document changed = owner->clone();
        Arena& arena = changed.arena;
        const Value conditions = Namespace(changed.root).make_status(arena).make_conditions(arena).untyped();
        bool is_changed = false;
        const auto say = [&](std::string_view type, bool is_true, std::string_view reason,
                             std::string_view message) {
            is_changed |= set_condition(conditions, {type, is_true ? "True" : "False", reason, message},
                                        surroundings_.now(), arena);
        };
        say("NamespaceDeletionDiscoveryFailure", false, "ResourcesDiscovered",
            "All resources successfully discovered");
        say("NamespaceDeletionGroupVersionParsingFailure", false, "ParsedGroupVersions",
            "All legacy kube types successfully parsed");
        say("NamespaceDeletionContentFailure", false, "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization");
        if (content.remaining.empty())
            say("NamespaceContentRemaining", false, "ContentRemoved", "All content successfully removed");
        else
            say("NamespaceContentRemaining", true, "SomeResourcesRemain",
                "Some resources are remaining: " + joined(content.remaining, " has "));
        if (content.finalizers.empty())
            say("NamespaceFinalizersRemaining", false, "ContentHasNoFinalizers",
                "All content-preserving finalizers finished");
        else
            say("NamespaceFinalizersRemaining", true, "SomeFinalizersRemain",
                "Some content in the namespace has finalizers remaining: " +
                    joined(content.finalizers, " in "));
        // Nobody reads the conditions of a namespace that goes at once.
        if (!is_changed || content.remaining.empty()) co_return base::ok();
        auto updating = writer.update_status(kNamespaces, changed.root);
        KEELSON_CO_TRY_VOID(co_await updating);
        co_return base::ok();
    }

    // Informers lag: something may have been made just before the deletion.
    Task<Result<bool>> is_really_empty(std::string namespace_name) {
        client::ListOptions options;
        options.limit = 1;
        for (const Informer* informer : contents_) {
            auto listing = surroundings_.client.list(informer->collection().address(namespace_name), options);
            KEELSON_CO_TRY(const client::Page page, co_await listing);
            if (!page.items.empty()) co_return false;
        }
        co_return true;
    }

    // They are told until the very end, and no informer keeps them.
    Task<Result<void>> remove_events(std::string namespace_name) {
        client::ListOptions options;
        options.limit = kRemovalsAtOnce;
        while (true) {
            auto listing = surroundings_.client.list(kEvents.address(namespace_name), options);
            KEELSON_CO_TRY(const client::Page page, co_await listing);
            if (page.items.empty()) co_return base::ok();
            std::vector<Task<Writer::Object>> tasks;
            for (const Value event : page.items) {
                const ObjectMeta metadata(event["metadata"]);
                tasks.push_back(
                    surroundings_.client.remove(kEvents.address(namespace_name, metadata.name()), {}));
            }
            auto removing = base::gather(std::move(tasks));
            const std::vector<Writer::Object> results = co_await removing;
            for (const Writer::Object& result : results)
                if (!result && result.error().code() != 404) co_return result.error();
        }
    }

    Task<Result<void>> finalize(ObjectPointer owner) {
        Document changed = owner->clone();
        Arena& arena = changed.arena;
        const auto spec = Namespace(changed.root).make_spec(arena);
        const Value kept = Value::list(arena);
        for (const Value finalizer : spec.finalizers().untyped().items())
            if (finalizer.as_string() != kFinalizer) kept.push_back(arena, finalizer);
        spec.untyped().set(arena, "finalizers", kept);
        auto address = kNamespaces.address("", owner->key().name, "finalize");
        auto updating = surroundings_.client.update(std::move(address), changed.root, {});
        const Writer::Object updated = co_await updating;
        if (!updated && updated.error().code() != 404) co_return updated.error();
        co_return base::ok();
    }

    const Surroundings& surroundings_;
    Informer& namespaces_;
    std::vector<Informer*> contents_;
};

}  // namespace

std::unique_ptr<Controller> make_namespace_controller(const Surroundings& surroundings) {
    return std::make_unique<NamespaceController>(surroundings);
}

}  // namespace keelson::control
