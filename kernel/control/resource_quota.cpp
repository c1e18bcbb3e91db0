#include "kernel/control/resource_quota.h"

#include <set>

#include "kernel/control/collections.h"
#include "kernel/control/pod_state.h"
#include "kernel/object/accessors/core_v1.h"
#include "kernel/object/accessors/meta_v1.h"
#include "kernel/resource/quota_usage.h"

namespace keelson::control {
namespace {

using api_types::core_v1::ResourceQuota;
using api_types::core_v1::ResourceQuotaStatus;
using base::Result;
using base::Task;
using client::CachedObject;
using object::Arena;
using object::Document;
using object::Quantity;
using object::Value;
using resource::Amounts;

constexpr Collection kQuotas = client::collections::resource_quotas;
// What was missed is found then.
constexpr base::Duration kRecount = std::chrono::minutes(5);
// What was made while a new quota was counted for the first time is found then.
constexpr base::Duration kSecondLook = std::chrono::seconds(1);
constexpr base::Duration kAfterCharge = std::chrono::milliseconds(50);

// Of these more than their number counts.
bool is_measured(const Collection& collection) {
    return collection == client::collections::pods || collection == client::collections::services ||
           collection == client::collections::persistent_volume_claims;
}

class QuotaController final : public Controller {
  public:
    explicit QuotaController(const Surroundings& surroundings)
        : surroundings_(surroundings), quotas_(surroundings.informers.of(kQuotas)) {
        for (const KnownCollection& known : owned_collections()) {
            if (!known.is_namespaced) continue;
            contents_.push_back(is_measured(known.collection)
                                    ? &surroundings.informers.of(known.collection)
                                    : &surroundings.informers.metadata_of(known.collection));
        }
    }

    [[nodiscard]] std::string_view name() const override { return "resourcequota"; }

    void watch(Queue& queue) override {
        quotas_.add_handler([&queue](const ObjectPointer& before, const ObjectPointer& now) {
            if (now && (!before || is_changed(*before, *now))) queue.add(now->key());
        });
        for (Informer* informer : contents_)
            informer->add_handler(
                [this, informer, &queue](const ObjectPointer& before, const ObjectPointer& now) {
                    if (before && may_free(informer->collection(), *before, now))
                        enqueue_all(before->key().namespace_name, queue);
                });
    }

    Task<Result<Again>> reconcile(ObjectKey key, Writer& writer) override {
        const ObjectPointer quota = quotas_.get(key);
        if (!quota || quota->is_being_deleted()) co_return done();
        Amounts used;
        std::set<std::string> limited;
        for (const auto limit : ResourceQuota(quota->root()).spec().hard()) limited.emplace(limit.name);
        for (const Informer* informer : contents_) {
            const std::set<std::string> names = names_of(informer->collection(), limited);
            if (names.empty()) continue;
            for (const std::string& name : names) used.emplace(name, Quantity());
            auto counting = count(*informer, quota, names, used);
            KEELSON_CO_TRY_VOID(co_await counting);
        }
        auto writing = write_status(quota, used, writer);
        const Result<bool> is_written = co_await writing;
        // Charged meanwhile, which is no failure: pauses that grow would keep back what was given back.
        if (!is_written && is_written.error().reason() == base::Reason::conflict)
            co_return again_after(kAfterCharge);
        if (!is_written) co_return is_written.error();
        co_return again_after(*is_written ? kSecondLook : kRecount);
    }

  private:
    static bool is_changed(const CachedObject& before, const CachedObject& now) {
        return !ResourceQuota(before.root())
                    .spec()
                    .untyped()
                    .equals(ResourceQuota(now.root()).spec().untyped());
    }

    // Whether less may be used than before. What grew has been charged already.
    bool may_free(const Collection& collection, const CachedObject& before, const ObjectPointer& now) const {
        if (!now) return true;
        if (!is_measured(collection)) return false;
        const auto usage = [&](Value object) {
            return resource::quota_usage_of(collection.group, collection.resource, object,
                                            surroundings_.now());
        };
        const Amounts less = usage(now->root());
        for (const auto& [name, amount] : usage(before.root())) {
            const auto left = less.find(name);
            if (left == less.end() || left->second < amount) return true;
        }
        return false;
    }

    void enqueue_all(const std::string& namespace_name, Queue& queue) const {
        for (const ObjectPointer& quota : quotas_.list(namespace_name)) queue.add(quota->key());
    }

    static std::set<std::string> names_of(const Collection& collection,
                                          const std::set<std::string>& limited) {
        std::set<std::string> names;
        for (const std::string& name : limited)
            if (resource::counts_under(collection.group, collection.resource, name)) names.insert(name);
        return names;
    }

    // No older than the quota as it is known here: whatever is charged later changes the quota, and then what
    // was counted is not written.
    Task<Result<void>> count(const Informer& informer, ObjectPointer quota,
                             const std::set<std::string>& names, Amounts& used) {
        const std::string& namespace_name = quota->key().namespace_name;
        const Collection& collection = informer.collection();
        if (informer.revision() >= quota->revision()) {
            for (const ObjectPointer& object : informer.list(namespace_name))
                add(collection, *quota, object->root(), names, used);
            co_return base::ok();
        }
        client::ListOptions options;
        options.limit = 500;
        do {
            auto listing = surroundings_.client.list(collection.address(namespace_name), options);
            KEELSON_CO_TRY(const client::Page page, co_await listing);
            for (const Value object : page.items) add(collection, *quota, object, names, used);
            options.continue_token = page.continue_token;
        } while (!options.continue_token.empty());
        co_return base::ok();
    }

    void add(const Collection& collection, const CachedObject& quota, Value object,
             const std::set<std::string>& names, Amounts& used) const {
        if (!resource::is_in_scope(quota.root(), collection.group, collection.resource, object)) return;
        const Amounts usage =
            resource::quota_usage_of(collection.group, collection.resource, object, surroundings_.now());
        resource::add_amounts(used, resource::masked(usage, names));
    }

    static bool is_same(Value list, const Amounts& amounts) {
        return list.members().size() == amounts.size() && resource::amounts_of(list) == amounts;
    }

    Task<Result<bool>> write_status(ObjectPointer quota, const Amounts& used, Writer& writer) {
        const ResourceQuota before(quota->root());
        if (before.status().hard().untyped().equals(before.spec().hard().untyped()) &&
            is_same(before.status().used().untyped(), used))
            co_return false;
        Document changed = quota->clone();
        Arena& arena = changed.arena;
        const ResourceQuotaStatus status = ResourceQuota(changed.root).make_status(arena);
        status.clear_hard();
        status.clear_used();
        for (const auto limit : before.spec().hard())
            status.make_hard(arena).set(arena, limit.name, limit.value);
        for (const auto& [name, amount] : used) status.make_used(arena).set(arena, name, amount.to_string());
        auto updating = writer.update_status(kQuotas, changed.root);
        const Writer::Object updated = co_await updating;
        if (!updated) co_return updated.error();
        co_return true;
    }

    const Surroundings& surroundings_;
    Informer& quotas_;
    std::vector<Informer*> contents_;
};

}  // namespace

std::unique_ptr<Controller> make_resource_quota_controller(const Surroundings& surroundings) {
    return std::make_unique<QuotaController>(surroundings);
}

}  // namespace keelson::control
