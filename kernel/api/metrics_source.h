// What pods use, for the controllers of this process: the documents that metrics.k8s.io serves, without HTTP.
#pragma once

#include <memory>

#include "kernel/api/node_gate.h"
#include "kernel/control/metrics_source.h"
#include "kernel/resource/lookup.h"

namespace keelson::api {

// For tasks of one executor that runs one callback at a time; nodes elsewhere are waited for on its pool for
// blocking calls. What the nodes have said counts for five seconds. The gate outlives it.
[[nodiscard]] std::unique_ptr<control::MetricsSource> make_metrics_source(resource::Lookup lookup,
                                                                          NodeGate& nodes);

}  // namespace keelson::api
