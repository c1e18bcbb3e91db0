#include "kernel/control/pod_gc.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "kernel/base/gather.h"
#include "kernel/control/pod_state.h"
#include "kernel/object/accessors/core_v1.h"
#include "kernel/object/accessors/meta_v1.h"
#include "kernel/object/conditions.h"

namespace keelson::control {
namespace {

using api_types::core_v1::Node;
using api_types::core_v1::Pod;
using api_types::core_v1::PodStatus;
using api_types::core_v1::Taint;
using base::Result;
using base::Task;
using client::CachedObject;
using object::Document;
using object::Value;

constexpr Collection kPods = client::collections::pods;
constexpr Collection kNodes = client::collections::nodes;
constexpr std::string_view kEndedIndex = "ended";
constexpr std::string_view kOutOfService = "node.kubernetes.io/out-of-service";
// A node may be made again, or not be known here yet.
constexpr base::Duration kQuarantine = std::chrono::seconds(40);
constexpr std::size_t kRemovalsAtOnce = 128;

bool has_ended(const ObjectPointer& pod) {
    return pod && is_finished(pod_of(pod));
}

bool is_out_of_service(const CachedObject& object) {
    const Node node(object.root());
    if (is_condition_true(node.status().conditions().untyped(), "Ready")) return false;
    for (const Taint taint : node.spec().taints())
        if (taint.key() == kOutOfService) return true;
    return false;
}

class PodGcController final : public Controller {
  public:
    PodGcController(const Surroundings& surroundings, std::size_t terminated_limit)
        : surroundings_(surroundings),
          limit_(terminated_limit),
          pods_(surroundings.informers.of(kPods)),
          nodes_(surroundings.informers.of(kNodes)) {}

    [[nodiscard]] std::string_view name() const override { return "pod-gc"; }

    void watch(Queue& queue) override {
        index_by_node(pods_);
        pods_.add_index(std::string(kEndedIndex),
                        [](const CachedObject& pod, std::vector<std::string>& values) {
                            if (is_finished(Pod(pod.root()))) values.emplace_back("yes");
                        });
        pods_.add_handler([this, &queue](const ObjectPointer& before, const ObjectPointer& now) {
            ended_ += has_ended(now) ? 1 : 0;
            ended_ -= has_ended(before) ? 1 : 0;
            if (ended_ > limit_) queue.add(all_ended());
            if (now && (now->is_being_deleted() || is_homeless(*now))) queue.add(now->key());
        });
        nodes_.add_handler([this, &queue](const ObjectPointer& before, const ObjectPointer& now) {
            if (now) missing_since_.erase(now->key().name);
            if (now && !is_out_of_service(*now)) return;
            const std::string& node = now ? now->key().name : before->key().name;
            for (const ObjectPointer& pod : pods_.indexed(pods_by_node, node)) queue.add(pod->key());
        });
    }

    Task<Result<Again>> reconcile(ObjectKey key, Writer& writer) override {
        if (key == all_ended()) {
            auto removing = remove_oldest(writer);
            KEELSON_CO_TRY_VOID(co_await removing);
            co_return done();
        }
        const ObjectPointer pod = pods_.get(key);
        if (!pod) co_return done();
        if (pod->is_being_deleted() && is_abandoned(*pod)) {
            auto removing = fail_and_remove(pod, {}, writer);
            KEELSON_CO_TRY_VOID(co_await removing);
            co_return done();
        }
        if (!is_homeless(*pod)) co_return done();
        auto waiting = remove_homeless(pod, writer);
        co_return co_await waiting;
    }

  private:
    static ObjectKey all_ended() { return {}; }

    [[nodiscard]] ObjectPointer node_of(const CachedObject& pod) const {
        return nodes_.get({"", std::string(Pod(pod.root()).spec().node_name())});
    }

    [[nodiscard]] bool is_homeless(const CachedObject& pod) const {
        return !Pod(pod.root()).spec().node_name().empty() && !node_of(pod);
    }

    // Goes, but nobody is there to end it.
    [[nodiscard]] bool is_abandoned(const CachedObject& pod) const {
        if (Pod(pod.root()).spec().node_name().empty()) return true;
        const ObjectPointer node = node_of(pod);
        return node && is_out_of_service(*node);
    }

    Task<Result<Again>> remove_homeless(ObjectPointer pod, Writer& writer) {
        const std::string node(pod_of(pod).spec().node_name());
        const base::WallTime now = surroundings_.now();
        const base::Duration left = missing_since_.emplace(node, now).first->second + kQuarantine - now;
        if (left > base::Duration::zero()) co_return again_after(left);
        auto getting = surroundings_.client.get(kNodes.address("", node));
        const auto found = co_await getting;
        if (found) co_return done();
        if (found.error().code() != 404) co_return found.error();
        auto removing = fail_and_remove(pod, "PodGC: node no longer exists", writer);
        KEELSON_CO_TRY_VOID(co_await removing);
        co_return done();
    }

    // The order in which they are dispensable: evicted ones first, then by age.
    Task<Result<void>> remove_oldest(Writer& writer) {
        ObjectList ended = pods_.indexed(kEndedIndex, "yes");
        if (ended.size() <= limit_) co_return base::ok();
        std::ranges::sort(ended, [](const ObjectPointer& one, const ObjectPointer& other) {
            const auto rank = [](Pod pod) {
                return std::tuple(pod.status().reason() != "Evicted", pod.metadata().creation_timestamp(),
                                  pod.metadata().name());
            };
            return rank(pod_of(one)) < rank(pod_of(other));
        });
        ended.resize(std::min(ended.size() - limit_, kRemovalsAtOnce));
        std::vector<Task<Result<void>>> tasks;
        for (const ObjectPointer& pod : ended) tasks.push_back(fail_and_remove(pod, {}, writer));
        auto removing = base::gather(std::move(tasks));
        const std::vector<Result<void>> results = co_await removing;
        for (const Result<void>& result : results)
            if (!result) co_return result.error();
        co_return base::ok();
    }

    // Whoever counts the pod's end must see one. With no message it was no disruption.
    Task<Result<void>> fail_and_remove(ObjectPointer pod, std::string message, Writer& writer) {
        const bool is_ended = is_finished(pod_of(pod));
        const bool has_no_grace =
            pod->is_being_deleted() && pod_of(pod).metadata().deletion_grace_period_seconds() == 0;
        if (is_ended && has_no_grace) co_return base::ok();  // waits for finalizers only
        if (!is_ended) {
            auto failing = fail(pod, std::move(message), writer);
            KEELSON_CO_TRY_VOID(co_await failing);
        }
        client::DeleteOptions options;
        options.grace_period_seconds = 0;
        auto removing = writer.remove(kPods, pod, std::move(options));
        const Result<void> removed = co_await removing;
        if (!removed && removed.error().code() != 404) co_return removed.error();
        co_return base::ok();
    }

    Task<Result<void>> fail(ObjectPointer pod, std::string message, Writer& writer) {
        Document patch;
        patch.root = Value::map(patch.arena);
        Pod(patch.root).make_metadata(patch.arena).set_uid(patch.arena, pod->uid());
        const PodStatus status = Pod(patch.root).make_status(patch.arena);
        status.set_phase(patch.arena, "Failed");
        if (!message.empty())
            set_condition(status.make_conditions(patch.arena).untyped(),
                          {"DisruptionTarget", "True", "DeletionByPodGC", message}, surroundings_.now(),
                          patch.arena);
        auto patching = writer.patch(kPods, pod->key(), client::PatchType::strategic, patch.root, "status");
        const Writer::Object patched = co_await patching;
        if (!patched && patched.error().code() != 404) co_return patched.error();
        co_return base::ok();
    }

    const Surroundings& surroundings_;
    std::size_t limit_;
    Informer& pods_;
    Informer& nodes_;
    std::size_t ended_ = 0;
    std::map<std::string, base::WallTime> missing_since_;  // nodes
};

}  // namespace

std::unique_ptr<Controller> make_pod_gc_controller(const Surroundings& surroundings,
                                                   std::size_t terminated_limit) {
    return std::make_unique<PodGcController>(surroundings, terminated_limit);
}

}  // namespace keelson::control
