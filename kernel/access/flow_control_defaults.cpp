// The default configuration: k8s.io/apiserver/pkg/apis/flowcontrol/bootstrap/default.go.
#include "kernel/access/flow_control.h"

namespace keelson::access {
namespace {

using Rule = FlowSchema::Rule;

const std::vector<std::string> any{"*"};
const Rule everything{.verbs = any, .groups = any, .resources = any, .paths = any};
const Rule leases{.verbs = {"get", "create", "update"},
                  .groups = {"coordination.k8s.io"},
                  .resources = {"leases"},
                  .paths = {}};
const std::vector<std::string> everybody{std::string(authenticated_group),
                                         std::string(unauthenticated_group)};

std::vector<PriorityLevel> levels() {
    const auto level = [](std::string name, int shares, int queues, int hand_size, int length) {
        return PriorityLevel{.name = std::move(name),
                             .uid = {},
                             .shares = shares,
                             .queues = queues,
                             .hand_size = hand_size,
                             .queue_length = length};
    };
    return {
        {.name = "exempt", .uid = {}, .exempt = true},
        level("system", 30, 64, 6, 50),
        level("node-high", 40, 64, 6, 50),
        level("leader-election", 10, 16, 4, 50),
        level("workload-high", 40, 128, 6, 50),
        level("workload-low", 100, 128, 6, 50),
        level("global-default", 20, 128, 6, 50),
        level("catch-all", 5, 0, 0, 0),
    };
}

std::vector<FlowSchema> schemas() {
    const auto schema = [](std::string name, std::string level, int precedence, FlowBy flow_by,
                           std::vector<std::string> users, std::vector<std::string> groups, Rule rule) {
        return FlowSchema{.name = std::move(name),
                          .uid = {},
                          .level = std::move(level),
                          .precedence = precedence,
                          .flow_by = flow_by,
                          .users = std::move(users),
                          .groups = std::move(groups),
                          .rules = {std::move(rule)}};
    };
    const std::string controllers(controller_manager_user);
    const std::string scheduler(scheduler_user);
    const std::string nodes(nodes_group);
    const std::string service_accounts = "system:serviceaccounts";
    const std::string endpoints = "system:serviceaccount:kube-system:endpoint-controller";
    const std::string endpoint_slices = "system:serviceaccount:kube-system:endpointslice-controller";
    const std::string endpoint_slice_mirroring =
        "system:serviceaccount:kube-system:endpointslicemirroring-controller";
    std::vector<FlowSchema> list{
        schema("exempt", "exempt", 1, FlowBy::none, {}, {std::string(masters_group)}, everything),
        schema("probes", "exempt", 2, FlowBy::none, {}, everybody,
               {.verbs = {"get"}, .groups = {}, .resources = {}, .paths = {"/healthz", "/readyz", "/livez"}}),
        schema("system-leader-election", "leader-election", 100, FlowBy::user, {controllers, scheduler},
               {"system:serviceaccounts:kube-system"}, leases),
        schema(
            "endpoint-controller", "workload-high", 150, FlowBy::user,
            {controllers, endpoints, endpoint_slices, endpoint_slice_mirroring}, {},
            {.verbs = {"get", "create", "update"}, .groups = {""}, .resources = {"endpoints"}, .paths = {}}),
        schema("workload-leader-election", "leader-election", 200, FlowBy::user, {}, {service_accounts},
               leases),
        schema("system-node-high", "node-high", 400, FlowBy::user, {}, {nodes},
               {.verbs = any, .groups = {""}, .resources = {"nodes", "nodes/status"}, .paths = {}}),
        schema("system-nodes", "system", 500, FlowBy::user, {}, {nodes}, everything),
        schema("kube-controller-manager", "workload-high", 800, FlowBy::namespace_name, {controllers}, {},
               everything),
        schema("kube-scheduler", "workload-high", 800, FlowBy::namespace_name, {scheduler}, {}, everything),
        schema("kube-system-service-accounts", "workload-high", 900, FlowBy::namespace_name, {},
               {"system:serviceaccounts:kube-system"}, everything),
        schema("service-accounts", "workload-low", 9000, FlowBy::user, {}, {service_accounts}, everything),
        schema("global-default", "global-default", 9900, FlowBy::user, {}, everybody, everything),
        schema("catch-all", "catch-all", 10000, FlowBy::user, {}, everybody, everything),
    };
    for (FlowSchema& entry : list) {
        if (entry.name == "system-node-high")
            entry.rules.push_back(
                {.verbs = any, .groups = {"coordination.k8s.io"}, .resources = {"leases"}, .paths = {}});
    }
    return list;
}

}  // namespace

FlowControlOptions default_flow_control(base::RandomSource& random) {
    FlowControlOptions options;
    options.levels = levels();
    options.schemas = schemas();
    for (PriorityLevel& level : options.levels) level.uid = base::make_uuid(random);
    for (FlowSchema& schema : options.schemas) schema.uid = base::make_uuid(random);
    return options;
}

}  // namespace keelson::access
