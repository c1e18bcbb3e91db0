#include "kernel/control/pod_writes.h"

#include <algorithm>

#include "kernel/base/gather.h"
#include "kernel/control/ownership.h"
#include "kernel/object/accessors/meta_v1.h"
#include "kernel/object/names.h"

namespace keelson::control {
namespace {

using api_types::core_v1::Pod;
using api_types::core_v1::PodTemplateSpec;
using api_types::meta_v1::ObjectMeta;
using base::Result;
using base::Status;
using base::Task;
using client::EventRecorder;
using client::EventType;
using object::Arena;
using object::Document;
using object::Value;

Task<Result<void>> create_one(Writer& writer, EventRecorder& events, ObjectPointer owner,
                              std::shared_ptr<Document> pod) {
    auto creating = writer.create(client::collections::pods, pod->root);
    const Writer::Object created = co_await creating;
    if (created) {
        const ObjectMeta metadata(created->root["metadata"]);
        events.record(owner->root(), EventType::normal, "SuccessfulCreate",
                      "Created pod: " + std::string(metadata.name()));
        co_return base::ok();
    }
    if (!is_namespace_terminating(created.error()))
        events.record(owner->root(), EventType::warning, "FailedCreate",
                      "Error creating: " + created.error().message());
    co_return created.error();
}

Task<Result<void>> delete_one(Writer& writer, EventRecorder& events, ObjectPointer owner, ObjectPointer pod) {
    auto removing = writer.remove(client::collections::pods, pod, {});
    const Result<void> removed = co_await removing;
    if (removed) {
        events.record(owner->root(), EventType::normal, "SuccessfulDelete",
                      "Deleted pod: " + pod->key().name);
        co_return base::ok();
    }
    if (removed.error().code() == 404) co_return base::ok();
    events.record(owner->root(), EventType::warning, "FailedDelete",
                  "Error deleting: " + removed.error().message());
    co_return removed.error();
}

void count(const std::vector<Result<void>>& results, PodWrites& writes) {
    for (const Result<void>& result : results) {
        if (result)
            ++writes.done;
        else if (is_namespace_terminating(result.error()))
            writes.is_namespace_going = true;
        else if (!writes.failure)
            writes.failure = result.error();
    }
}

}  // namespace

bool is_namespace_terminating(const Status& status) {
    const base::StatusDetails* details = status.details();
    return details && std::ranges::any_of(details->causes, [](const base::Cause& cause) {
               return cause.reason == "NamespaceTerminating";
           });
}

Pod pod_from_template(Value owner, PodTemplateSpec templ, Arena& arena) {
    const Pod pod(Value::map(arena));
    const ObjectMeta owner_metadata(owner["metadata"]);
    const ObjectMeta metadata = pod.make_metadata(arena);
    const ObjectMeta wanted = templ.metadata();
    // A prefix that is no name with the dash at its end is one without it.
    std::string prefix = std::string(owner_metadata.name()) + "-";
    if (!object::name_is_dns_subdomain(prefix, true).empty()) prefix.pop_back();
    metadata.set_generate_name(arena, prefix);
    metadata.set_namespace(arena, owner_metadata.namespace_());
    if (wanted.has_labels()) metadata.untyped().set(arena, "labels", wanted.labels().untyped().clone(arena));
    if (wanted.has_annotations())
        metadata.untyped().set(arena, "annotations", wanted.annotations().untyped().clone(arena));
    if (wanted.has_finalizers())
        metadata.untyped().set(arena, "finalizers", wanted.finalizers().untyped().clone(arena));
    add_controller_reference(metadata, owner, arena);
    pod.untyped().set(arena, "spec", templ.spec().untyped().clone(arena));
    return pod;
}

Task<PodWrites> create_pods(Writer& writer, EventRecorder& events, ObjectPointer owner, std::size_t wanted,
                            std::function<Value(std::size_t index, Arena& arena)> make) {
    PodWrites writes;
    std::size_t begun = 0;
    for (std::size_t batch = 1; begun < wanted && !writes.failure && !writes.is_namespace_going; batch *= 2) {
        std::vector<Task<Result<void>>> tasks;
        for (const std::size_t end = std::min(wanted, begun + batch); begun < end; ++begun) {
            auto pod = std::make_shared<Document>();
            pod->root = make(begun, pod->arena);
            tasks.push_back(create_one(writer, events, owner, std::move(pod)));
        }
        auto creating = base::gather(std::move(tasks));
        count(co_await creating, writes);
    }
    co_return writes;
}

Task<PodWrites> delete_pods(Writer& writer, EventRecorder& events, ObjectPointer owner, ObjectList pods) {
    PodWrites writes;
    std::vector<Task<Result<void>>> tasks;
    for (ObjectPointer& pod : pods) tasks.push_back(delete_one(writer, events, owner, std::move(pod)));
    auto deleting = base::gather(std::move(tasks));
    count(co_await deleting, writes);
    co_return writes;
}

}  // namespace keelson::control
