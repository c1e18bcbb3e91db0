// The plugins one by one, for framework.cpp and tests.
#pragma once

#include <memory>

#include "kernel/scheduling/framework.h"

namespace keelson::scheduling {

[[nodiscard]] std::unique_ptr<FilterPlugin> make_node_unschedulable();
[[nodiscard]] std::unique_ptr<FilterPlugin> make_node_name();
[[nodiscard]] std::unique_ptr<FilterPlugin> make_taint_toleration();
[[nodiscard]] std::unique_ptr<FilterPlugin> make_node_affinity();
[[nodiscard]] std::unique_ptr<FilterPlugin> make_node_ports();
[[nodiscard]] std::unique_ptr<FilterPlugin> make_node_resources_fit();
[[nodiscard]] std::unique_ptr<FilterPlugin> make_volume_restrictions();
[[nodiscard]] std::unique_ptr<FilterPlugin> make_node_volume_limits();
[[nodiscard]] std::unique_ptr<FilterPlugin> make_volume_binding();
[[nodiscard]] std::unique_ptr<FilterPlugin> make_volume_zone();
[[nodiscard]] std::unique_ptr<FilterPlugin> make_topology_spread();
[[nodiscard]] std::unique_ptr<FilterPlugin> make_inter_pod_affinity();

[[nodiscard]] std::unique_ptr<ScorePlugin> make_taint_score();
[[nodiscard]] std::unique_ptr<ScorePlugin> make_node_affinity_score();
[[nodiscard]] std::unique_ptr<ScorePlugin> make_least_allocated_score();
[[nodiscard]] std::unique_ptr<ScorePlugin> make_balanced_allocation_score();
[[nodiscard]] std::unique_ptr<ScorePlugin> make_image_locality_score();
[[nodiscard]] std::unique_ptr<ScorePlugin> make_topology_spread_score(bool default_spread);
[[nodiscard]] std::unique_ptr<ScorePlugin> make_inter_pod_affinity_score();

}  // namespace keelson::scheduling
