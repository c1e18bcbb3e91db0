// The documents of metrics.k8s.io, made of what the nodes say about themselves and their pods. Shared by
// those who serve them and those who scale by them.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/api/io_loop.h"
#include "kernel/api/node_gate.h"
#include "kernel/base/result.h"
#include "kernel/base/task.h"
#include "kernel/object/selector.h"
#include "kernel/object/value.h"
#include "kernel/resource/lookup.h"

namespace keelson::api {

inline constexpr std::string_view usage_api_version = "metrics.k8s.io/v1beta1";

struct UsageQuestion {
    bool of_pods = false;
    std::string namespace_name;  // empty: all
    std::string name;            // empty: a list
    object::LabelSelector labels;
    object::FieldSelector fields;

    [[nodiscard]] bool wants(std::string_view of_namespace, std::string_view of_name) const;
};

// Documents are put together in one arena, whose strings they keep.
struct UsageAnswer {
    object::Arena arena;
    std::vector<object::Value> items;  // PodMetrics or NodeMetrics
};

// Asks nodes, by their names, for their summaries (kubelet's /stats/summary), all at once.
using Summaries = std::vector<base::Result<std::string>>;
using AskNodes = std::function<base::Task<Summaries>(std::vector<std::string> names)>;

// Whether there is a node that can be asked.
[[nodiscard]] bool has_measured_nodes(const resource::Lookup& lookup, NodeGate& nodes);
// A node that does not answer is left out, as its pods are. `ask` outlives the task.
[[nodiscard]] base::Task<base::Result<UsageAnswer>> collect_usage(resource::Lookup lookup,
                                                                  UsageQuestion question,
                                                                  const AskNodes& ask);
// The summary of a node that runs elsewhere. On that loop.
[[nodiscard]] base::Task<base::Result<std::string>> ask_node_elsewhere(IoLoop& loop, resource::Lookup lookup,
                                                                       NodeGate& nodes, std::string name);

}  // namespace keelson::api
