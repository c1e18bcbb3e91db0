#include "kernel/resource/bootstrap.h"

#include <initializer_list>
#include <string_view>
#include <utility>
#include <vector>

#include "kernel/base/log.h"
#include "kernel/object/addresses.h"
#include "kernel/object/json.h"
#include "kernel/resource/codec.h"
#include "kernel/resource/default_objects.h"
#include "kernel/resource/default_roles.h"

namespace keelson::resource {
namespace {

using base::Result;
using base::Task;
using object::Arena;
using object::Value;

struct Wanted {
    std::string_view group;
    std::string_view version;
    std::string_view resource;
    std::string_view namespace_name;
    std::string_view json;
    std::string_view manager = "kube-apiserver";
    bool keeps_current = false;  // brought up to date when it is there already
};

constexpr std::string_view kNamespaces[] = {"default", "kube-node-lease", "kube-public", "kube-system"};

constexpr std::string_view kNodeCritical =
    R"({"metadata":{"name":"system-node-critical"},"value":2000001000,)"
    R"("description":"Used for system critical pods that must not be moved from their current node."})";
constexpr std::string_view kClusterCritical =
    R"({"metadata":{"name":"system-cluster-critical"},"value":2000000000,)"
    R"("description":"Used for system critical pods that must run in the cluster, but can be moved to another node )"
    R"(if necessary."})";

Task<Result<void>> ensure(Verbs& verbs, Wanted wanted) {
    Arena arena;
    KEELSON_CO_TRY(Value value, object::parse_json_copy(wanted.json, arena));
    Call call;
    call.identity = access::api_server_identity();
    call.resource = object::find_resource(wanted.group, wanted.version, wanted.resource);
    call.namespace_name = wanted.namespace_name;
    call.name = value["metadata"]["name"].to_string();
    KEELSON_CO_TRY(auto record, verbs.store().get(key_of(*call.resource, call.namespace_name, call.name)));
    if (record && !wanted.keeps_current) co_return base::ok();
    WriteOptions options;
    options.field_manager = wanted.manager;
    Body body{value, {}};
    if (record) {
        KEELSON_CO_TRY_VOID(co_await verbs.update(call, body, options, arena));
        co_return base::ok();
    }
    auto created = co_await verbs.create(call, body, options, arena);
    // Another server of the same cluster may have been faster.
    if (!created && created.error().reason() != base::Reason::already_exists)
        co_return std::move(created).error();
    co_return base::ok();
}

// Brings a default role or binding of an earlier version, or one that somebody has changed, up to date.
Task<Result<void>> refresh_role(Verbs& verbs, const DefaultObject& wanted) {
    Arena arena;
    KEELSON_CO_TRY(Value value, object::parse_json_copy(wanted.json, arena));
    Call call;
    call.identity = access::api_server_identity();
    call.resource = object::find_resource(wanted.group, "v1", wanted.resource);
    call.name = value["metadata"]["name"].to_string();
    KEELSON_CO_TRY(auto record, verbs.store().get(key_of(*call.resource, "", call.name)));
    if (!record) co_return base::ok();
    KEELSON_CO_TRY(Value present, decode(view(*record), arena));
    WriteOptions options;
    options.field_manager = wanted.manager;
    if (must_be_replaced(present, value)) {
        DeleteOptions removal;
        KEELSON_CO_TRY_VOID(co_await verbs.remove(call, removal));
        Body fresh{value, {}};
        KEELSON_CO_TRY_VOID(co_await verbs.create(call, fresh, options, arena));
    } else if (add_missing_parts(present, value, arena)) {
        Body completed{present, {}};
        KEELSON_CO_TRY_VOID(co_await verbs.update(call, completed, options, arena));
    }
    co_return base::ok();
}

// Nothing of the kernel's own depends on these: a failure is told, and the start goes on.
Task<void> refresh_roles(Verbs& verbs, const std::vector<DefaultObject>& roles) {
    for (const DefaultObject& role : roles) {
        const Result<void> refreshed = co_await refresh_role(verbs, role);
        if (!refreshed)
            base::log_warning("a default role could not be brought up to date",
                              {{"object", role.json.substr(0, 200)}, {"error", refreshed.error()}});
    }
}

// Makes objects that do not refer to each other, all at once: so they share the syncs of the disk.
Task<Result<void>> ensure_all(Verbs& verbs, const std::vector<DefaultObject>& objects) {
    base::Executor& executor = co_await base::current_executor();
    std::vector<base::Completion<Result<void>>> outcomes;
    for (const DefaultObject& object : objects) {
        Wanted wanted{object.group, "v1", object.resource, "", object.json, object.manager};
        base::Completion<Result<void>> outcome;
        auto done = [outcome](Result<void> result) { outcome.complete(std::move(result)); };
        base::spawn(executor, ensure(verbs, wanted), std::move(done));
        outcomes.push_back(std::move(outcome));
    }
    // All of them are waited for: they refer to `objects`.
    Result<void> first_failure;
    for (const auto& outcome : outcomes) {
        auto result = co_await outcome;
        if (!result && first_failure) first_failure = std::move(result);
    }
    co_return first_failure;
}

// The first address of a range is the API's own.
std::string first_address(std::string_view cidr) {
    auto network = object::IpNetwork::parse(cidr);
    if (!network) return {};
    object::IpAddress address = network->masked();
    address.bytes[15] = static_cast<std::uint8_t>(address.bytes[15] | 1);
    return address.to_string();
}

std::string quoted_list(const std::vector<std::string>& items) {
    std::string json = "[";
    for (const std::string& item : items) {
        if (json.size() > 1) json += ',';
        object::write_json_string(item, json);
    }
    return json + "]";
}

Task<Result<void>> ensure_service_cidr(Verbs& verbs) {
    std::string json = R"({"metadata":{"name":"kubernetes"},"spec":{"cidrs":)" +
                       quoted_list(verbs.network().service_cidrs) + "}}";
    Wanted space{"networking.k8s.io", "v1", "servicecidrs", "", json};
    KEELSON_CO_TRY_VOID(co_await ensure(verbs, space));
    Call call;
    call.identity = access::api_server_identity();
    call.resource = object::find_resource("networking.k8s.io", "v1", "servicecidrs");
    call.subresource = call.resource->subresource("status");
    call.name = "kubernetes";
    KEELSON_CO_TRY(auto record, verbs.store().get(key_of(*call.resource, "", call.name)));
    Arena arena;
    KEELSON_CO_TRY(Value current, decode(view(*record), arena));
    if (!current["status"]["conditions"].empty()) co_return base::ok();
    std::string status =
        R"({"apiVersion":"networking.k8s.io/v1","kind":"ServiceCIDR","metadata":{"name":"kubernetes"},)"
        R"("status":{"conditions":[{"type":"Ready","status":"True","lastTransitionTime":")" +
        verbs.now() + R"(","message":"Kubernetes default Service CIDR is ready"}]}})";
    KEELSON_CO_TRY(Value patch, object::parse_json_copy(status, arena));
    WriteOptions options;
    options.field_manager = "kubernetes-service-cidr-controller";
    options.force = true;
    Body body{patch, {}};
    KEELSON_CO_TRY_VOID(co_await verbs.patch(call, PatchType::apply, body, options));
    co_return base::ok();
}

std::string endpoint_slice_json(const BootstrapSettings& settings) {
    bool v6 = settings.advertise_address.find(':') != std::string::npos;
    return R"({"metadata":{"name":"kubernetes","labels":{"kubernetes.io/service-name":"kubernetes"}},"addressType":")" +
           std::string(v6 ? "IPv6" : "IPv4") + R"(","endpoints":[{"addresses":[")" +
           settings.advertise_address +
           R"("],"conditions":{"ready":true}}],"ports":[{"name":"https","protocol":"TCP","port":)" +
           std::to_string(settings.api_port) + "}]}";
}

std::string endpoints_json(const BootstrapSettings& settings) {
    return R"({"metadata":{"name":"kubernetes","labels":{"endpointslice.kubernetes.io/skip-mirror":"true"}},)"
           R"("subsets":[{"addresses":[{"ip":")" +
           settings.advertise_address + R"("}],"ports":[{"name":"https","port":)" +
           std::to_string(settings.api_port) + R"(,"protocol":"TCP"}]}]})";
}

}  // namespace

Task<Result<void>> bootstrap(Verbs& verbs, const BootstrapSettings& settings) {
    std::vector<DefaultObject> defaults = flow_control_objects(access::default_flow_control(verbs.random()));
    for (DefaultObject& service : api_service_objects()) defaults.push_back(std::move(service));
    for (std::string_view name : kNamespaces)
        defaults.push_back(
            {"", "namespaces", "kube-apiserver", R"({"metadata":{"name":")" + std::string(name) + R"("}})"});
    for (std::string_view json : {kNodeCritical, kClusterCritical})
        defaults.push_back({"scheduling.k8s.io", "priorityclasses", "kube-apiserver", std::string(json)});
    const std::vector<DefaultObject> roles = default_roles();
    defaults.insert(defaults.end(), roles.begin(), roles.end());
    co_await refresh_roles(verbs, roles);
    KEELSON_CO_TRY_VOID(co_await ensure_all(verbs, defaults));
    KEELSON_CO_TRY_VOID(co_await ensure_service_cidr(verbs));
    std::string address = first_address(verbs.network().service_cidrs.front());
    std::string service =
        R"({"metadata":{"name":"kubernetes","labels":{"component":"apiserver","provider":"kubernetes"}},)"
        R"("spec":{"type":"ClusterIP","ipFamilyPolicy":"SingleStack","sessionAffinity":"None","clusterIP":")" +
        address + R"(","ports":[{"name":"https","protocol":"TCP","port":443,"targetPort":)" +
        std::to_string(settings.api_port) + "}]}}";
    Wanted own_service{"", "v1", "services", "default", service};
    KEELSON_CO_TRY_VOID(co_await ensure(verbs, own_service));
    // Endpoints may not be loopback addresses; a server that only this host reaches has none.
    auto advertised = object::IpAddress::parse(settings.advertise_address);
    if (!advertised || advertised->is_loopback()) co_return base::ok();
    std::string endpoints = endpoints_json(settings), slice = endpoint_slice_json(settings);
    Wanted own_endpoints{"", "v1", "endpoints", "default", endpoints, "kube-apiserver", true};
    KEELSON_CO_TRY_VOID(co_await ensure(verbs, own_endpoints));
    Wanted own_slice{"discovery.k8s.io", "v1", "endpointslices", "default", slice, "kube-apiserver", true};
    KEELSON_CO_TRY_VOID(co_await ensure(verbs, own_slice));
    co_return base::ok();
}

}  // namespace keelson::resource
