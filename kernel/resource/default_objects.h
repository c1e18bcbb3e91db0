// The default objects of API priority and fairness and of the aggregation layer, as documents to create.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kernel/access/flow_control.h"

namespace keelson::resource {

struct DefaultObject {
    std::string_view group;
    std::string_view resource;
    std::string_view manager;
    std::string json;
};

// One PriorityLevelConfiguration and one FlowSchema for each entry of what the fair queues really use.
[[nodiscard]] std::vector<DefaultObject> flow_control_objects(const access::FlowControlOptions& options);
// One APIService for each group version that this server serves.
[[nodiscard]] std::vector<DefaultObject> api_service_objects();

}  // namespace keelson::resource
