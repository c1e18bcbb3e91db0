#include "kernel/control/horizontal_pod_autoscaler_status.h"

#include "kernel/object/accessors/meta_v1.h"
#include "kernel/object/quantity.h"
#include "kernel/object/time_format.h"

namespace keelson::control::autoscaling {
namespace {

using api_types::autoscaling_v2::HorizontalPodAutoscaler;
using api_types::autoscaling_v2::HorizontalPodAutoscalerStatus;
using api_types::autoscaling_v2::MetricIdentifier;
using api_types::autoscaling_v2::MetricSpec;
using api_types::autoscaling_v2::MetricStatus;
using api_types::autoscaling_v2::MetricTarget;
using api_types::autoscaling_v2::MetricValueStatus;
using object::Arena;
using object::Quantity;
using object::Value;

std::string amount_text(std::string_view resource, std::int64_t milli) {
    const auto format = resource == "memory" ? Quantity::Format::binary_si : Quantity::Format::decimal_si;
    return Quantity::from_milli(milli, format).to_string();
}

void write_usage(MetricValueStatus status, std::string_view resource, const ReplicaAnswer& answer,
                 Arena& arena) {
    if (answer.percent) status.set_average_utilization(arena, *answer.percent);
    status.set_average_value(arena, amount_text(resource, answer.average_milli));
}

void write_amount(MetricValueStatus status, MetricTarget target, const ReplicaAnswer& answer, Arena& arena) {
    const std::string amount = amount_text({}, answer.average_milli);
    if (target.has_average_value())
        status.set_average_value(arena, amount);
    else
        status.set_value(arena, amount);
}

void write_identifier(MetricIdentifier to, MetricIdentifier from, Arena& arena) {
    to.set_name(arena, from.name());
    if (!from.has_selector()) return;
    for (const object::Member& member : from.selector().untyped().members())
        to.make_selector(arena).untyped().set(arena, arena.copy(member.name), member.value.clone(arena));
}

}  // namespace

MetricStatus metric_status(MetricSpec metric, const ReplicaAnswer& answer, Arena& arena) {
    const MetricStatus status(Value::map(arena));
    status.set_type(arena, metric.type());
    if (metric.type() == "Resource") {
        const auto resource = status.make_resource(arena);
        resource.set_name(arena, metric.resource().name());
        write_usage(resource.make_current(arena), metric.resource().name(), answer, arena);
    } else if (metric.type() == "ContainerResource") {
        const auto resource = status.make_container_resource(arena);
        resource.set_name(arena, metric.container_resource().name());
        resource.set_container(arena, metric.container_resource().container());
        write_usage(resource.make_current(arena), metric.container_resource().name(), answer, arena);
    } else if (metric.type() == "Pods") {
        const auto pods = status.make_pods(arena);
        write_identifier(pods.make_metric(arena), metric.pods().metric(), arena);
        write_amount(pods.make_current(arena), metric.pods().target(), answer, arena);
    } else if (metric.type() == "Object") {
        const auto object = status.make_object(arena);
        const auto about = metric.object().described_object();
        write_identifier(object.make_metric(arena), metric.object().metric(), arena);
        write_amount(object.make_current(arena), metric.object().target(), answer, arena);
        const auto described = object.make_described_object(arena);
        described.set_kind(arena, about.kind());
        described.set_name(arena, about.name());
        if (about.has_api_version()) described.set_api_version(arena, about.api_version());
    } else if (metric.type() == "External") {
        const auto external = status.make_external(arena);
        write_identifier(external.make_metric(arena), metric.external().metric(), arena);
        write_amount(external.make_current(arena), metric.external().target(), answer, arena);
    }
    return status;
}

MetricStatus unknown_metric_status(Arena& arena) {
    const MetricStatus status(Value::map(arena));
    status.set_type(arena, "");
    return status;
}

StatusDraft::StatusDraft(ObjectPointer scaler, base::WallTime now)
    : seen_(std::move(scaler)), now_(now), changed_(seen_->clone()) {
    const HorizontalPodAutoscalerStatus status = object().make_status(arena());
    // Of what has no generations nothing is observed.
    if (const std::int64_t generation = object().metadata().generation(); generation > 0)
        status.set_observed_generation(arena(), generation);
}

void StatusDraft::say(const object::ConditionState& state) {
    set_condition(object().status().make_conditions(arena()).untyped(), state, now_, arena());
}

void StatusDraft::set_replicas(std::int64_t current, std::optional<std::int64_t> desired) {
    const HorizontalPodAutoscalerStatus status = object().status();
    status.set_current_replicas(arena(), current);
    status.set_desired_replicas(arena(), desired.value_or(status.desired_replicas()));
}

void StatusDraft::set_metrics(object::ListView<MetricStatus> metrics) {
    const HorizontalPodAutoscalerStatus status = object().status();
    status.clear_current_metrics();
    if (!metrics.is_set()) return;
    const auto list = status.make_current_metrics(arena());
    for (const MetricStatus metric : metrics)
        list.add(arena(), MetricStatus(metric.untyped().clone(arena())));
}

void StatusDraft::set_scaled(base::WallTime at) {
    object().status().set_last_scale_time(arena(), object::format_time(object::instant_of(at)));
}

bool StatusDraft::has_changed() const {
    const Value before = HorizontalPodAutoscaler(seen_->root()).status().untyped();
    return !is_same_status(object().status().untyped(), before);
}

}  // namespace keelson::control::autoscaling
