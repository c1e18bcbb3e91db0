// Where autoscalers learn what pods use, and which other numbers there are to scale by. Numbers are in
// thousandths, as Kubernetes counts them. Failures read like those of the APIs that a Kubernetes controller
// asks: metrics.k8s.io, custom.metrics.k8s.io and external.metrics.k8s.io.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "kernel/base/clock.h"
#include "kernel/base/result.h"
#include "kernel/base/task.h"
#include "kernel/object/selector.h"

namespace keelson::control {

struct ContainerUsage {
    std::string name;
    std::map<std::string, std::int64_t, std::less<>> milli;  // by resource: "cpu", "memory"
};

struct PodUsage {
    std::string pod;
    base::WallTime at{};      // when it was measured
    base::Duration window{};  // over how long before that
    std::vector<ContainerUsage> containers;
};

// A number that somebody measures of a pod.
struct PodSample {
    std::string pod;
    base::WallTime at{};
    base::Duration window{};
    std::int64_t milli = 0;
};

// Which number: its name, and the labels that tell apart several of that name.
struct MetricQuery {
    std::string namespace_name;
    std::string name;
    object::LabelSelector labels;
};

struct MeasuredObject {
    std::string api_version;
    std::string kind;
    std::string name;
};

// Lives on the executor of whoever asks.
class MetricsSource {
  public:
    virtual ~MetricsSource() = default;
    // Of the pods with these labels that run and are measured already.
    virtual base::Task<base::Result<std::vector<PodUsage>>> usage_of_pods(std::string namespace_name,
                                                                          object::LabelSelector pods) = 0;
    // What nobody provides is refused, as where nothing is registered for these APIs.
    virtual base::Task<base::Result<std::vector<PodSample>>> of_pods(MetricQuery query,
                                                                     object::LabelSelector pods);
    virtual base::Task<base::Result<std::int64_t>> of_object(MetricQuery query, MeasuredObject about);
    virtual base::Task<base::Result<std::vector<std::int64_t>>> external(MetricQuery query);
};

}  // namespace keelson::control
