#include "kernel/control/horizontal_pod_autoscaler.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "kernel/control/collections.h"
#include "kernel/control/horizontal_pod_autoscaler_behavior.h"
#include "kernel/control/horizontal_pod_autoscaler_metrics.h"
#include "kernel/control/horizontal_pod_autoscaler_status.h"
#include "kernel/control/pod_state.h"
#include "kernel/object/accessors/autoscaling_v1.h"
#include "kernel/object/accessors/autoscaling_v2.h"
#include "kernel/object/accessors/core_v1.h"
#include "kernel/object/accessors/meta_v1.h"
#include "kernel/object/selector.h"

namespace keelson::control {
namespace {

using api_types::autoscaling_v1::Scale;
using api_types::autoscaling_v2::HorizontalPodAutoscaler;
using api_types::autoscaling_v2::HorizontalPodAutoscalerSpec;
using api_types::autoscaling_v2::MetricSpec;
using api_types::autoscaling_v2::MetricStatus;
using autoscaling::Bounds;
using autoscaling::Decision;
using autoscaling::MetricFailure;
using autoscaling::MetricProposal;
using autoscaling::MetricReader;
using autoscaling::ScaledPods;
using autoscaling::ScaleHistory;
using autoscaling::ScalingBehavior;
using autoscaling::StatusDraft;
using base::Reason;
using base::Result;
using base::Status;
using base::Task;
using client::CachedObject;
using client::EventType;
using object::LabelSelector;
using object::Value;

constexpr Collection kScalers = client::collections::horizontal_pod_autoscalers;

HorizontalPodAutoscalerSpec spec_of(const CachedObject& scaler) {
    return HorizontalPodAutoscaler(scaler.root()).spec();
}

// What is known of an autoscaler between two looks.
struct Memory {
    std::string uid;
    std::optional<LabelSelector> selector;
    ScaleHistory history;
    std::optional<base::WallTime> scaled;  // the last time
};

struct Target {
    Collection collection;
    object::Document scale;

    [[nodiscard]] Scale view() const { return Scale(scale.root); }
};

// One look at one autoscaler.
struct Look {
    ObjectPointer scaler;
    Memory& memory;
    Writer& writer;
    StatusDraft draft;
    Target target{};
    std::int64_t current = 0;
    Bounds bounds{};
    ScalingBehavior behavior{};
    object::ListView<MetricStatus> measured{};  // in the draft's arena

    [[nodiscard]] const ObjectKey& key() const { return scaler->key(); }
};

struct Wish {
    std::int64_t replicas = 0;
    std::string reason;
};

// What the metrics say together.
struct Proposals {
    std::int64_t replicas = 0;
    std::string description;  // of the metric that asks for most
    std::size_t count = 0;
    std::size_t failures = 0;
    std::optional<MetricFailure> first_failure;

    void add(MetricProposal proposal) {
        ++count;
        if (proposal.failure) {
            ++failures;
            if (!first_failure) first_failure = std::move(proposal.failure);
        } else if (replicas == 0 || proposal.answer.replicas > replicas) {
            replicas = proposal.answer.replicas;
            description = std::move(proposal.description);
        }
    }
    // Without some of the metrics there may be more replicas, but not fewer.
    [[nodiscard]] bool is_usable(std::int64_t current) const {
        return failures == 0 || (failures < count && replicas >= current);
    }
};

class AutoscalerController final : public Controller {
  public:
    AutoscalerController(const Surroundings& surroundings, MetricsSource& metrics)
        : surroundings_(surroundings),
          metrics_(metrics),
          scalers_(surroundings.informers.of(kScalers)),
          pods_(surroundings.informers.of(client::collections::pods)),
          events_(surroundings.recorder("horizontal-pod-autoscaler")) {}

    [[nodiscard]] std::string_view name() const override { return "horizontalpodautoscaler"; }

    void watch(Queue& queue) override {
        scalers_.add_handler([&queue](const ObjectPointer& before, const ObjectPointer& now) {
            // Its status is its own doing.
            const bool asks_the_same = before && now && before->uid() == now->uid() &&
                                       spec_of(*before).untyped().equals(spec_of(*now).untyped());
            if (!asks_the_same) queue.add(now ? now->key() : before->key());
        });
    }

    Task<Result<Again>> reconcile(ObjectKey key, Writer& writer) override {
        ObjectPointer scaler = scalers_.get(key);
        if (!scaler) {
            memories_.erase(key);
            co_return done();
        }
        Look look{scaler, memory_of(*scaler), writer, StatusDraft(scaler, surroundings_.now())};
        auto looking = look_at(look);
        KEELSON_CO_TRY_VOID(co_await looking);
        auto flushing = flush(look);
        KEELSON_CO_TRY_VOID(co_await flushing);
        co_return again_after(autoscaler_period);
    }

  private:
    Memory& memory_of(const CachedObject& scaler) {
        Memory& memory = memories_[scaler.key()];
        if (memory.uid == scaler.uid()) return memory;
        memory = Memory();
        memory.uid = scaler.uid();
        return memory;
    }

    void warn(const Look& look, std::string_view reason, std::string message) {
        events_->record(look.scaler->root(), EventType::warning, reason, std::move(message));
    }

    // Fails only to be tried again at once; what is wrong otherwise is told.
    Task<Result<void>> look_at(Look& look) {
        auto finding = find_target(look.scaler);
        Result<Target> target = co_await finding;
        if (!target) {
            const std::string& why = target.error().message();
            warn(look, "FailedGetScale", why);
            const std::string told =
                "the HPA controller was unable to get the target's current scale: " + why;
            look.draft.say({"AbleToScale", "False", "FailedGetScale", told});
            co_return base::ok();
        }
        look.target = std::move(*target);
        look.draft.say({"AbleToScale", "True", "SucceededGetScale",
                        "the HPA controller was able to get the target's current scale"});
        const HorizontalPodAutoscalerSpec spec = spec_of(*look.scaler);
        look.current = look.target.view().spec().replicas();
        look.bounds = {spec.has_min_replicas() ? spec.min_replicas() : 1, spec.max_replicas()};
        look.behavior = ScalingBehavior::of(spec);
        look.memory.history.begin(look.current, surroundings_.now());
        auto wishing = wish(look);
        const std::optional<Wish> wanted = co_await wishing;
        look.draft.set_metrics(look.measured);
        look.draft.set_replicas(look.current, std::nullopt);
        if (!wanted) co_return base::ok();
        auto scaling = scale(look, *wanted);
        co_return co_await scaling;
    }

    // --- The target.

    Task<Result<Target>> find_target(ObjectPointer scaler) {
        const auto reference = spec_of(*scaler).scale_target_ref();
        const std::string_view version = reference.api_version();
        const std::size_t slash = version.find('/');
        const std::string group(version.substr(0, slash == std::string_view::npos ? 0 : slash));
        const auto known = collection_of_group(group, reference.kind());
        if (!known)
            co_return Status(Reason::not_found, "no matches for kind \"" + std::string(reference.kind()) +
                                                    "\" in group \"" + group + "\"");
        auto address = known->collection.address(scaler->key().namespace_name, reference.name(), "scale");
        auto getting = surroundings_.client.get(std::move(address));
        KEELSON_CO_TRY(object::Document scale, co_await getting);
        co_return Target{known->collection, std::move(scale)};
    }

    Task<Result<void>> scale(Look& look, const Wish& wanted) {
        const bool is_change = wanted.replicas != look.current;
        if (is_change) {
            auto changing = change_scale(look, wanted.replicas);
            const Result<void> changed = co_await changing;
            // Somebody else scales it: what there is to do now is for the next look to say.
            if (!changed && changed.error().reason() == Reason::conflict) co_return changed.error();
            if (!changed) {
                tell_of_failure(look, wanted, changed.error().message());
                co_return base::ok();
            }
            tell_of_change(look, wanted);
        }
        look.draft.set_replicas(look.current, wanted.replicas);
        co_return base::ok();
    }

    Task<Result<void>> change_scale(Look& look, std::int64_t replicas) {
        object::Document patch;
        patch.root = Value::map(patch.arena);
        const Scale change(patch.root);
        change.make_metadata(patch.arena)
            .set_resource_version(patch.arena, look.target.view().metadata().resource_version());
        change.make_spec(patch.arena).set_replicas(patch.arena, replicas);
        ObjectKey key{look.key().namespace_name,
                      std::string(spec_of(*look.scaler).scale_target_ref().name())};
        auto patching = look.writer.patch(look.target.collection, std::move(key), client::PatchType::merge,
                                          patch.root, "scale");
        KEELSON_CO_TRY_VOID(co_await patching);
        co_return base::ok();
    }

    void tell_of_change(Look& look, const Wish& wanted) {
        const base::WallTime now = surroundings_.now();
        const std::string size = std::to_string(wanted.replicas);
        const std::string told = "the HPA controller was able to update the target scale to " + size;
        look.draft.say({"AbleToScale", "True", "SucceededRescale", told});
        events_->record(look.scaler->root(), EventType::normal, "SuccessfulRescale",
                        "New size: " + size + "; reason: " + wanted.reason);
        look.memory.history.note_change(look.behavior, look.current, wanted.replicas, now);
        look.memory.scaled = now;
    }

    void tell_of_failure(Look& look, const Wish& wanted, const std::string& why) {
        warn(look, "FailedRescale",
             "New size: " + std::to_string(wanted.replicas) + "; reason: " + wanted.reason +
                 "; error: " + why);
        const std::string told = "the HPA controller was unable to update the target scale: " + why;
        look.draft.say({"AbleToScale", "False", "FailedUpdateScale", told});
    }

    // --- How many replicas there are to be.

    // None: it cannot be said, which has been told.
    Task<std::optional<Wish>> wish(Look& look) {
        if (look.current == 0) {
            look.draft.say({"ScalingActive", "False", "ScalingDisabled",
                            "scaling is disabled since the replica count of the target is zero"});
            co_return Wish{};
        }
        if (look.current > look.bounds.most)
            co_return Wish{look.bounds.most, "Current number of replicas above Spec.MaxReplicas"};
        if (look.current < look.bounds.least)
            co_return Wish{look.bounds.least, "Current number of replicas below Spec.MinReplicas"};
        auto asking = wish_of_metrics(look);
        Result<Wish> wanted = co_await asking;
        if (wanted) co_return std::move(*wanted);
        warn(look, "FailedComputeMetricsReplicas", wanted.error().message());
        co_return std::nullopt;
    }

    Task<Result<Wish>> wish_of_metrics(Look& look) {
        KEELSON_CO_TRY(const ScaledPods scaled, scaled_pods(look));
        auto asking = ask_metrics(look, scaled);
        const Proposals proposals = co_await asking;
        if (!proposals.is_usable(look.current)) {
            const MetricFailure& first = *proposals.first_failure;
            const std::string told = "the HPA was unable to compute the replica count: " + first.message;
            look.draft.say({"ScalingActive", "False", first.reason, told});
            co_return Status(Reason::not_found, "invalid metrics (" + std::to_string(proposals.failures) +
                                                    " invalid out of " + std::to_string(proposals.count) +
                                                    "), first error is: " + first.error);
        }
        const std::string told =
            "the HPA was able to successfully calculate a replica count from " + proposals.description;
        look.draft.say({"ScalingActive", "True", "ValidMetricFound", told});
        const Decision decision = look.memory.history.decide(look.behavior, look.bounds, look.current,
                                                             proposals.replicas, surroundings_.now());
        look.draft.say(decision.able);
        look.draft.say(decision.limited);
        Wish wanted{decision.replicas, {}};
        if (proposals.replicas > look.current) wanted.reason = proposals.description + " above target";
        if (proposals.replicas < look.current) wanted.reason = "All metrics below target";
        co_return wanted;
    }

    Task<Proposals> ask_metrics(Look& look, const ScaledPods& scaled) {
        Proposals proposals;
        MetricReader reader(metrics_, scaled);
        look.measured = object::ListView<MetricStatus>(Value::list(look.draft.arena()));
        for (const MetricSpec metric : spec_of(*look.scaler).metrics()) {
            auto reading = reader.read(metric);
            MetricProposal proposal = co_await reading;
            if (proposal.failure) {
                warn(look, proposal.failure->reason, proposal.failure->message);
                look.measured.add(look.draft.arena(), autoscaling::unknown_metric_status(look.draft.arena()));
            } else {
                look.measured.add(look.draft.arena(),
                                  autoscaling::metric_status(metric, proposal.answer, look.draft.arena()));
            }
            proposals.add(std::move(proposal));
        }
        co_return proposals;
    }

    // --- The pods.

    Result<ScaledPods> scaled_pods(Look& look) {
        const Scale scale = look.target.view();
        const std::string text(scale.status().selector());
        KEELSON_TRY(LabelSelector selector, parse_selector(look, text));
        look.memory.selector = selector;
        ScaledPods scaled{look.key().namespace_name, std::move(selector),     look.current,
                          scale.status().replicas(), look.behavior.tolerance, {},
                          surroundings_.now()};
        for (ObjectPointer& pod : pods_.list(scaled.namespace_name))
            if (scaled.selector.matches(pod_of(pod).metadata().labels().untyped()))
                scaled.pods.push_back(std::move(pod));
        KEELSON_TRY_VOID(require_own_pods(look, scaled, text));
        return scaled;
    }

    Result<LabelSelector> parse_selector(Look& look, const std::string& text) {
        if (text.empty()) {
            look.draft.say({"ScalingActive", "False", "InvalidSelector",
                            "the HPA target's scale is missing a selector"});
            warn(look, "SelectorRequired", "selector is required");
            return Status(Reason::invalid, "selector is required");
        }
        Result<LabelSelector> selector = LabelSelector::parse(text);
        if (selector) return selector;
        const std::string told = "couldn't convert selector into a corresponding internal selector object: " +
                                 selector.error().message();
        look.draft.say({"ScalingActive", "False", "InvalidSelector", told});
        warn(look, "InvalidSelector", told);
        return Status(Reason::invalid, told);
    }

    static bool selects_any(const Memory& memory, const ObjectList& pods) {
        return memory.selector && std::ranges::any_of(pods, [&](const ObjectPointer& pod) {
                   return memory.selector->matches(pod_of(pod).metadata().labels().untyped());
               });
    }

    // Two that scale by the same pods would work against each other.
    Result<void> require_own_pods(Look& look, const ScaledPods& scaled, const std::string& selector) {
        std::string names;
        int count = 0;
        for (auto at = memories_.lower_bound({scaled.namespace_name, {}}); at != memories_.end(); ++at) {
            if (count == 2 || at->first.namespace_name != scaled.namespace_name) break;
            if (selects_any(at->second, scaled.pods)) names += (count++ == 0 ? "" : " ") + at->first.text();
        }
        if (count < 2) return base::ok();
        const std::string told =
            "pods by selector " + selector + " are controlled by more than one HPA (e.g. [" + names + "])";
        warn(look, "AmbiguousSelector", told);
        look.draft.say({"ScalingActive", "False", "AmbiguousSelector", told});
        return Status(Reason::invalid, told);
    }

    // --- The status.

    Task<Result<void>> flush(Look& look) {
        // Again with every write, as the one after the scaling may have failed.
        if (look.memory.scaled) look.draft.set_scaled(*look.memory.scaled);
        if (!look.draft.has_changed()) co_return base::ok();
        auto updating = look.writer.update_status(kScalers, look.draft.root());
        const auto updated = co_await updating;
        if (updated) co_return base::ok();
        const Reason reason = updated.error().reason();
        if (reason != Reason::conflict && reason != Reason::not_found)
            warn(look, "FailedUpdateStatus", updated.error().message());
        co_return updated.error();
    }

    const Surroundings& surroundings_;
    MetricsSource& metrics_;
    Informer& scalers_;
    Informer& pods_;
    std::unique_ptr<client::EventRecorder> events_;
    std::map<ObjectKey, Memory> memories_;
};

}  // namespace

std::unique_ptr<Controller> make_horizontal_pod_autoscaler_controller(const Surroundings& surroundings,
                                                                      MetricsSource& metrics) {
    return std::make_unique<AutoscalerController>(surroundings, metrics);
}

}  // namespace keelson::control
