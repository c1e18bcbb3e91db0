#include "kernel/resource/quota_charge.h"

#include <charconv>

#include "kernel/object/conform.h"
#include "kernel/resource/codec.h"
#include "kernel/resource/errors.h"
#include "kernel/resource/quota_usage.h"

namespace keelson::resource {
namespace {

using base::Result;
using object::Arena;
using object::Quantity;
using object::Resource;
using object::Value;

const Resource& quotas() {
    return *object::find_resource("", "v1", "resourcequotas");
}

// What a charge is about.
struct Charge {
    const Call& call;
    Value object;
    Amounts usage;  // more than before
};

// Only what grows is charged: what shrinks, or goes, is found by counting again.
Amounts growth(const Amounts& usage, const Amounts& before) {
    Amounts more;
    for (const auto& [name, amount] : usage) {
        Quantity difference = amount;
        if (const auto old = before.find(name); old != before.end()) difference.subtract(old->second);
        if (difference.sign() > 0) more.emplace(name, difference);
    }
    return more;
}

std::string joined(const std::set<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ",") + name;
    return text;
}

base::Status refusal(const Charge& charge, const std::string& message) {
    return forbidden(*charge.call.resource, charge.object["metadata"]["name"].as_string(), message);
}

// The new status.used of one quota; empty when it is not touched.
Result<Amounts> used_after(const Charge& charge, Value quota) {
    const Resource& resource = *charge.call.resource;
    const std::string name = quota["metadata"]["name"].to_string();
    if (!is_in_scope(quota, resource.group, resource.name, charge.object)) return Amounts{};
    const Amounts hard = amounts_of(quota["status"]["hard"]);
    std::set<std::string> limited;
    for (const auto& [limit, amount] : hard)
        if (counts_under(resource.group, resource.name, limit)) limited.insert(limit);
    if (limited.empty()) return Amounts{};
    if (resource.name == "pods" && resource.group.empty()) {
        const std::string missing = missing_for_quota(charge.object, limited);
        if (!missing.empty()) return refusal(charge, "failed quota: " + name + ": must specify " + missing);
    }
    Amounts used = amounts_of(quota["status"]["used"]);
    for (const std::string& limit : limited)
        if (!used.contains(limit))
            return refusal(charge, "status unknown for quota: " + name + ", resources: " + joined(limited));
    const Amounts requested = masked(charge.usage, limited);
    if (requested.empty()) return Amounts{};
    Amounts after = used;
    add_amounts(after, requested);
    std::set<std::string> exceeded;
    for (const auto& [limit, amount] : requested)
        if (hard.at(limit) < after.at(limit)) exceeded.insert(limit);
    if (!exceeded.empty())
        return refusal(charge, "exceeded quota: " + name +
                                   ", requested: " + to_text(masked(requested, exceeded)) +
                                   ", used: " + to_text(masked(used, exceeded)) +
                                   ", limited: " + to_text(masked(hard, exceeded)));
    return after;
}

store::Operation write_of(Value quota, const Amounts& used, Arena& arena) {
    const Value metadata = quota["metadata"];
    store::Revision revision = 0;
    const std::string_view text = metadata["resourceVersion"].as_string();
    std::from_chars(text.data(), text.data() + text.size(), revision);
    const Value list = Value::map(arena);
    for (const auto& [name, amount] : used)
        list.set(arena, arena.copy(name), Value::string(arena, amount.to_string()));
    quota["status"].set(arena, "used", list);
    const Encoded encoded = encode(quotas(), object::canonical(*quotas().type, quota, arena));
    store::Operation write;
    write.key = key_of(quotas(), metadata["namespace"].as_string(), metadata["name"].as_string());
    write.expected = revision;
    write.bytes = encoded.bytes;
    write.header = encoded.header;
    return write;
}

bool is_charged_on_update(const Call& call) {
    const Resource& resource = *call.resource;
    if (!resource.group.empty()) return false;
    if (resource.name == "pods") return call.subresource_name() == "resize";
    return call.subresource == nullptr &&
           (resource.name == "services" || resource.name == "persistentvolumeclaims");
}

}  // namespace

base::Task<QuotaGate::Pass> QuotaGate::enter(std::string namespace_name) {
    base::Completion<bool> turn;
    bool has_to_wait = false;
    {
        const std::lock_guard lock(mutex_);
        const auto [waiting, is_free] = waiting_.try_emplace(namespace_name);
        has_to_wait = !is_free;
        if (has_to_wait) waiting->second.push_back(turn);
    }
    if (has_to_wait) co_await turn;
    co_return Pass(*this, std::move(namespace_name));
}

void QuotaGate::leave(const std::string& namespace_name) {
    base::Completion<bool> next;
    {
        const std::lock_guard lock(mutex_);
        const auto waiting = waiting_.find(namespace_name);
        if (waiting->second.empty()) {
            waiting_.erase(waiting);
            return;
        }
        next = waiting->second.front();
        waiting->second.pop_front();
    }
    next.complete(true);
}

Result<bool> may_charge_quota(const Call& call, const Lookup& lookup) {
    const Resource& resource = *call.resource;
    if (!resource.namespaced || call.namespace_name.empty() || resource.name == "events") return false;
    if (resource.group == "authorization.k8s.io") return false;
    store::ScanRequest request;
    request.prefix = prefix_of(quotas(), call.namespace_name);
    bool has_quota = false;
    KEELSON_TRY_VOID(lookup.store().scan(request, [&](const store::Record&) {
        has_quota = true;
        return false;
    }));
    return has_quota;
}

Result<std::vector<store::Operation>> charge_quotas(const Call& call, Value object, Value old,
                                                    const Lookup& lookup, base::WallTime now, Arena& arena) {
    std::vector<store::Operation> operations;
    if (old.is_set() && !is_charged_on_update(call)) return operations;
    KEELSON_TRY(const bool may_charge, may_charge_quota(call, lookup));
    if (!may_charge) return operations;
    const Resource& resource = *call.resource;
    Charge charge{call, object, {}};
    const Amounts before = old.is_set() ? quota_usage_of(resource.group, resource.name, old, now) : Amounts{};
    charge.usage = growth(quota_usage_of(resource.group, resource.name, object, now), before);
    if (charge.usage.empty()) return operations;
    std::vector<Value> all;
    KEELSON_TRY_VOID(lookup.each("", "resourcequotas", call.namespace_name, arena,
                                 [&](Value quota) { all.push_back(quota); }));
    for (const Value quota : all) {
        KEELSON_TRY(const Amounts used, used_after(charge, quota));
        if (!used.empty()) operations.push_back(write_of(quota, used, arena));
    }
    return operations;
}

}  // namespace keelson::resource
