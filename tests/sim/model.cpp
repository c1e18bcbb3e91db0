#include "tests/sim/model.h"

#include <cstdio>
#include <cstdlib>

#include "kernel/object/json.h"
#include "kernel/object/quantity.h"

namespace keelson::sim {

using object::Value;

namespace {

constexpr std::uint64_t kHashPrime = 1099511628211ULL;

[[noreturn]] void fail(const std::string& what) {
    std::fprintf(stderr, "sim: %s\n", what.c_str());
    std::abort();
}

// "apps/replicasets/default/web-1" by its parts.
void set_names(Seen& seen) {
    const std::size_t first = seen.key.find('/');
    const std::size_t second = seen.key.find('/', first + 1);
    seen.resource = seen.key.substr(0, second);
    const Value metadata = seen["metadata"];
    seen.namespace_name = metadata["namespace"].to_string();
    seen.name = metadata["name"].to_string();
    seen.uid = metadata["uid"].to_string();
    seen.is_being_deleted = metadata["deletionTimestamp"].is_set();
    for (const Value owner : metadata["ownerReferences"].items())
        if (owner["controller"].as_boolean()) seen.controller_uid = owner["uid"].to_string();
}

bool is_heartbeat(std::string_view key) {
    return key.starts_with("coordination.k8s.io/leases/") || key.starts_with("core/nodes/") ||
           key.starts_with("core/events/") || key.starts_with("events.k8s.io/");
}

}  // namespace

Model::Model(store::Store& store, const base::Clock& clock) : store_(store), clock_(clock) {
    auto watch = store.watch("", 0);
    if (!watch) fail("cannot watch the store: " + watch.error().message());
    watch_ = std::move(*watch);
}

void Model::hash(std::string_view bytes) {
    for (const char byte : bytes) hash_ = (hash_ ^ static_cast<unsigned char>(byte)) * kHashPrime;
}

void Model::follow(const Visitor& visit) {
    constexpr std::size_t kBatch = 64;
    if (store_.current() == revision_) return;
    while (true) {
        const auto polled = watch_->poll(kBatch, [&](const store::Event& event) { take_in(event, visit); });
        if (!polled) fail("cannot follow the store: " + polled.error().message());
        if (*polled == 0) break;
    }
    revision_ = store_.current();
}

SeenPointer Model::parse(const store::Record& record, const SeenPointer& before) const {
    const auto seen = std::make_shared<Seen>();
    auto root = object::parse_json_copy(record.bytes, seen->document.arena);
    if (!root) fail("cannot read " + std::string(record.key));
    seen->document.root = *root;
    seen->key = record.key;
    seen->revision = record.modified;
    set_names(*seen);
    seen->since = before && before->uid == seen->uid ? before->since : clock_.now();
    return seen;
}

void Model::take_in(const store::Event& event, const Visitor& visit) {
    const std::string key(event.record.key);
    const std::int64_t now_ns = clock_.now().time_since_epoch().count();
    hash(std::string_view(reinterpret_cast<const char*>(&now_ns), sizeof now_ns));
    hash(std::string_view(reinterpret_cast<const char*>(&event.revision), sizeof event.revision));
    hash(key);
    hash(event.record.bytes);
    if (!is_heartbeat(key)) {
        last_real_write_ = clock_.now();
        last_real_key_ = key;
    }
    SeenChange change;
    if (const auto found = by_key_.find(key); found != by_key_.end()) {
        change.before = found->second;
        by_key_.erase(found);
        by_uid_.erase(change.before->uid);
        if (!change.before->controller_uid.empty()) by_controller_[change.before->controller_uid].erase(key);
    }
    if (event.kind != store::Event::Kind::removed) {
        change.now = parse(event.record, change.before);
        by_key_[key] = change.now;
        by_uid_[change.now->uid] = change.now;
        if (!change.now->controller_uid.empty()) by_controller_[change.now->controller_uid][key] = change.now;
    }
    if (change.before || change.now) visit(change);
}

std::vector<SeenPointer> Model::all(std::string_view resource, std::string_view namespace_name) const {
    std::string prefix = std::string(resource) + "/";
    if (!namespace_name.empty()) prefix += std::string(namespace_name) + "/";
    std::vector<SeenPointer> found;
    for (auto at = by_key_.lower_bound(prefix); at != by_key_.end() && at->first.starts_with(prefix); ++at)
        found.push_back(at->second);
    return found;
}

SeenPointer Model::get(std::string_view resource, std::string_view namespace_name,
                       std::string_view name) const {
    std::string key = std::string(resource) + "/";
    if (!namespace_name.empty()) key += std::string(namespace_name) + "/";
    const auto found = by_key_.find(key + std::string(name));
    return found == by_key_.end() ? nullptr : found->second;
}

SeenPointer Model::by_uid(const std::string& uid) const {
    const auto found = by_uid_.find(uid);
    return found == by_uid_.end() ? nullptr : found->second;
}

std::vector<SeenPointer> Model::controlled_by(const std::string& uid, std::string_view resource) const {
    std::vector<SeenPointer> found;
    if (const auto entries = by_controller_.find(uid); entries != by_controller_.end())
        for (const auto& [key, object] : entries->second)
            if (object->resource == resource) found.push_back(object);
    return found;
}

bool is_finished_pod(const Seen& pod) {
    const std::string_view phase = pod.at({"status", "phase"}).as_string();
    return phase == "Succeeded" || phase == "Failed";
}

bool is_active_pod(const Seen& pod) {
    return !pod.is_being_deleted && !is_finished_pod(pod);
}

bool is_ready_pod(const Seen& pod) {
    return has_condition(pod, "Ready");
}

std::string_view node_of_pod(const Seen& pod) {
    return pod.at({"spec", "nodeName"}).as_string();
}

std::int64_t requested_cpu_milli(const Seen& pod) {
    std::int64_t total = 0;
    for (const Value container : pod.at({"spec", "containers"}).items()) {
        const auto cpu =
            object::Quantity::parse(container.path({"resources", "requests", "cpu"}).as_string());
        if (cpu) total += cpu->milli_value();
    }
    return total;
}

bool has_condition(const Seen& object, std::string_view type) {
    for (const Value condition : object.at({"status", "conditions"}).items())
        if (condition["type"].as_string() == type) return condition["status"].as_string() == "True";
    return false;
}

std::int64_t replicas_of(const Seen& workload) {
    const Value replicas = workload.at({"spec", "replicas"});
    return replicas.is_integer() ? replicas.as_integer() : 1;
}

}  // namespace keelson::sim
