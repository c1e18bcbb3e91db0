#include "kernel/control/metrics_source.h"

namespace keelson::control {
namespace {

using base::Reason;
using base::Result;
using base::Status;
using base::Task;

Status no_custom_metrics() {
    return {Reason::not_found, "no custom metrics API (custom.metrics.k8s.io) registered"};
}

}  // namespace

Task<Result<std::vector<PodSample>>> MetricsSource::of_pods(MetricQuery /*query*/,
                                                            object::LabelSelector /*pods*/) {
    co_return no_custom_metrics();
}

Task<Result<std::int64_t>> MetricsSource::of_object(MetricQuery /*query*/, MeasuredObject /*about*/) {
    co_return no_custom_metrics();
}

Task<Result<std::vector<std::int64_t>>> MetricsSource::external(MetricQuery query) {
    co_return Status(Reason::not_found, "the server could not find the requested resource (get " +
                                            query.name + ".external.metrics.k8s.io)");
}

}  // namespace keelson::control
