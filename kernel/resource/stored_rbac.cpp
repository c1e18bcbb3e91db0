#include "kernel/resource/stored_rbac.h"

#include <string>
#include <utility>

#include "kernel/base/log.h"
#include "kernel/resource/codec.h"

namespace keelson::resource {
namespace {

using access::RbacPolicy;
using base::Result;
using object::Arena;
using object::Value;

constexpr std::string_view kPrefix = "rbac.authorization.k8s.io/";
constexpr std::size_t kBatch = 256;

std::vector<std::string> texts_of(Value list) {
    std::vector<std::string> texts;
    texts.reserve(list.size());
    for (const Value item : list.items()) texts.push_back(item.to_string());
    return texts;
}

access::RbacBinding binding_of(Value object, std::string_view namespace_name, std::string_view name) {
    access::RbacBinding binding;
    binding.namespace_name = namespace_name;
    binding.name = name;
    binding.role_kind = object["roleRef"]["kind"].to_string();
    binding.role_name = object["roleRef"]["name"].to_string();
    for (const Value subject : object["subjects"].items())
        binding.subjects.push_back({.kind = subject["kind"].to_string(),
                                    .name = subject["name"].to_string(),
                                    .namespace_name = subject["namespace"].to_string()});
    return binding;
}

// What a key of the group stands for; no resource when it is none of the four.
struct Place {
    bool is_role = false;
    std::string_view namespace_name;
    std::string_view name;
};

std::optional<Place> place_of(std::string_view key) {
    for (const std::string_view resource : {"clusterrolebindings", "clusterroles", "rolebindings", "roles"}) {
        const std::string_view rest = key.substr(kPrefix.size());
        if (!rest.starts_with(resource) || rest.substr(resource.size(), 1) != "/") continue;
        const KeyParts parts =
            parts_of(*object::find_resource("rbac.authorization.k8s.io", "v1", resource), key);
        return Place{.is_role = resource.ends_with("roles"),
                     .namespace_name = parts.namespace_name,
                     .name = parts.name};
    }
    return std::nullopt;
}

void remove(const Place& place, RbacPolicy& policy) {
    if (place.is_role)
        policy.remove_role(place.namespace_name, place.name);
    else
        policy.remove_binding(place.namespace_name, place.name);
}

void set(const store::Record& record, RbacPolicy& policy) {
    const auto place = place_of(record.key);
    if (!place) return;
    Arena arena;
    const auto object = decode_without_managers(record, arena);
    if (!object) {
        // What cannot be read gives nobody anything.
        base::log_error("a role or binding cannot be read", {{"key", record.key}, {"error", object.error()}});
        remove(*place, policy);
    } else if (place->is_role) {
        policy.set_role(place->namespace_name, place->name, policy_rules_of(*object));
    } else {
        policy.set_binding(binding_of(*object, place->namespace_name, place->name));
    }
}

}  // namespace

std::vector<access::PolicyRule> policy_rules_of(Value role) {
    std::vector<access::PolicyRule> rules;
    for (const Value rule : role["rules"].items())
        rules.push_back({.verbs = texts_of(rule["verbs"]),
                         .groups = texts_of(rule["apiGroups"]),
                         .resources = texts_of(rule["resources"]),
                         .resource_names = texts_of(rule["resourceNames"]),
                         .paths = texts_of(rule["nonResourceURLs"])});
    return rules;
}

Result<void> StoredRbac::read(const std::function<void(const RbacPolicy&)>& visit) {
    KEELSON_TRY_VOID(catch_up());
    const std::shared_lock lock(policy_mutex_);
    visit(policy_);
    return base::ok();
}

Result<void> StoredRbac::catch_up() {
    if (seen_.load(std::memory_order_acquire) == news_->load(std::memory_order_acquire)) return base::ok();
    const std::lock_guard lock(watch_mutex_);
    // Read before the changes: what is told in between is looked at again.
    const std::uint64_t told = news_->load(std::memory_order_acquire);
    if (seen_.load(std::memory_order_relaxed) == told) return base::ok();
    if (watch_ != nullptr) {
        if (auto taken = take_changes(); !taken) {
            if (taken.error().reason() != base::Reason::expired) return taken;
            watch_.reset();
        }
    }
    if (watch_ == nullptr) KEELSON_TRY_VOID(load());
    watch_->arm([news = news_] { news->fetch_add(1, std::memory_order_acq_rel); });
    seen_.store(told, std::memory_order_release);
    return base::ok();
}

Result<void> StoredRbac::load() {
    RbacPolicy fresh;
    store::ScanRequest request;
    request.prefix = kPrefix;
    bool more = true;
    while (more) {
        KEELSON_TRY(const auto result, store_.scan(request, [&](const store::Record& record) {
            set(record, fresh);
            return true;
        }));
        more = result.more;
        request.start = result.next_key;
        request.revision = result.revision;
    }
    KEELSON_TRY(watch_, store_.watch(std::string(kPrefix), request.revision));
    const std::unique_lock lock(policy_mutex_);
    policy_ = std::move(fresh);
    return base::ok();
}

Result<void> StoredRbac::take_changes() {
    const std::unique_lock lock(policy_mutex_);
    while (true) {
        KEELSON_TRY(const std::size_t count, watch_->poll(kBatch, [this](const store::Event& event) {
            if (event.kind != store::Event::Kind::removed) return set(event.record, policy_);
            if (const auto place = place_of(event.record.key)) remove(*place, policy_);
        }));
        if (count == 0) return base::ok();
    }
}

}  // namespace keelson::resource
