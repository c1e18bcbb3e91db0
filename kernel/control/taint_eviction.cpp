#include <algorithm>
#include <map>

#include "kernel/control/node_lifecycle.h"
#include "kernel/control/pod_state.h"
#include "kernel/object/accessors/core_v1.h"
#include "kernel/object/accessors/meta_v1.h"
#include "kernel/object/conditions.h"

namespace keelson::control {
namespace {

using api_types::core_v1::Node;
using api_types::core_v1::Pod;
using api_types::core_v1::Taint;
using api_types::core_v1::Toleration;
using base::Result;
using base::Task;
using client::EventType;
using object::Arena;
using object::Document;
using object::Value;

bool tolerates(Toleration toleration, Taint taint) {
    if (!toleration.effect().empty() && toleration.effect() != taint.effect()) return false;
    if (!toleration.key().empty() && toleration.key() != taint.key()) return false;
    if (toleration.key().empty() && toleration.operator_() != "Exists") return false;
    return toleration.operator_() == "Exists" || toleration.value() == taint.value();
}

std::vector<Taint> evicting_taints(const ObjectPointer& node) {
    std::vector<Taint> taints;
    if (!node) return taints;
    for (const Taint taint : Node(node->root()).spec().taints())
        if (taint.effect() == "NoExecute") taints.push_back(taint);
    return taints;
}

// How long a pod may stay on a node with these taints.
struct Stay {
    bool for_ever = true;
    std::int64_t seconds = 0;
};

Stay stay_of(Pod pod, const std::vector<Taint>& taints) {
    Stay stay;
    for (const Taint taint : taints) {
        bool is_tolerated = false;
        for (const Toleration toleration : pod.spec().tolerations()) {
            if (!tolerates(toleration, taint)) continue;
            is_tolerated = true;
            if (!toleration.has_toleration_seconds()) continue;
            const std::int64_t seconds = std::max<std::int64_t>(0, toleration.toleration_seconds());
            stay.seconds = stay.for_ever ? seconds : std::min(stay.seconds, seconds);
            stay.for_ever = false;
        }
        if (!is_tolerated) return {false, 0};
    }
    return stay;
}

// Keys are pods.
class TaintEvictionController final : public Controller {
  public:
    explicit TaintEvictionController(const Surroundings& surroundings)
        : surroundings_(surroundings),
          nodes_(surroundings.informers.of(client::collections::nodes)),
          pods_(surroundings.informers.of(client::collections::pods)),
          events_(surroundings.recorder("taint-eviction-controller")) {}

    [[nodiscard]] std::string_view name() const override { return "taint-eviction"; }

    void watch(Queue& queue) override {
        index_by_node(pods_);
        pods_.add_handler([this, &queue](const ObjectPointer& before, const ObjectPointer& now) {
            if (!now) {
                leaving_.erase(before->key());
                return;
            }
            const std::string_view node = pod_of(now).spec().node_name();
            if (!node.empty() && !evicting_taints(nodes_.get({"", std::string(node)})).empty())
                queue.add(now->key());
        });
        nodes_.add_handler([this, &queue](const ObjectPointer& before, const ObjectPointer& now) {
            if (evicting_taints(before).empty() && evicting_taints(now).empty()) return;
            const ObjectPointer& node = now ? now : before;
            for (const ObjectPointer& pod : pods_.indexed(pods_by_node, node->key().name))
                queue.add(pod->key());
        });
    }

    Task<Result<Again>> reconcile(ObjectKey key, Writer& writer) override {
        const ObjectPointer pod = pods_.get(key);
        if (!pod || pod->is_being_deleted()) co_return done();
        const std::vector<Taint> taints =
            evicting_taints(nodes_.get({"", std::string(pod_of(pod).spec().node_name())}));
        const Stay stay = stay_of(pod_of(pod), taints);
        if (taints.empty() || stay.for_ever) {
            if (leaving_.erase(key) > 0)
                events_->record(pod->root(), EventType::normal, "TaintManagerEviction",
                                "Cancelling deletion of Pod " + key.text());
            co_return done();
        }
        const base::MonotonicTime now = surroundings_.executor.clock().now();
        const base::MonotonicTime since = leaving_.try_emplace(key, now).first->second;
        const base::Duration left = since + std::chrono::seconds(stay.seconds) - now;
        if (left > base::Duration::zero()) co_return again_after(left);
        auto evicting = evict(pod, writer);
        KEELSON_CO_TRY_VOID(co_await evicting);
        co_return done();
    }

  private:
    Task<Result<void>> evict(ObjectPointer pod, Writer& writer) {
        events_->record(pod->root(), EventType::normal, "TaintManagerEviction",
                        "Marking for deletion Pod " + pod->key().text());
        Document changed = pod->clone();
        Arena& arena = changed.arena;
        const Value conditions = Pod(changed.root).make_status(arena).make_conditions(arena).untyped();
        const bool is_marked = set_condition(conditions,
                                             {"DisruptionTarget", "True", "DeletionByTaintManager",
                                              "Taint manager: deleting due to NoExecute taint"},
                                             surroundings_.now(), arena);
        if (is_marked) {
            auto marking = writer.update_status(client::collections::pods, changed.root);
            const Writer::Object marked = co_await marking;
            if (!marked && marked.error().code() != 404) co_return marked.error();
        }
        auto removing = writer.remove(client::collections::pods, pod, {});
        const Result<void> removed = co_await removing;
        if (!removed && removed.error().code() != 404) co_return removed.error();
        co_return base::ok();
    }

    const Surroundings& surroundings_;
    Informer& nodes_;
    Informer& pods_;
    std::map<ObjectKey, base::MonotonicTime> leaving_;
    std::unique_ptr<client::EventRecorder> events_;
};

}  // namespace

std::unique_ptr<Controller> make_taint_eviction_controller(const Surroundings& surroundings) {
    return std::make_unique<TaintEvictionController>(surroundings);
}

}  // namespace keelson::control
