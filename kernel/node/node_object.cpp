#include "kernel/node/node_object.h"

#include <algorithm>

#include "kernel/base/log.h"
#include "kernel/client/collections.h"
#include "kernel/network/node_labels.h"
#include "kernel/object/accessors/coordination_v1.h"
#include "kernel/object/accessors/core_v1.h"
#include "kernel/object/accessors/meta_v1.h"
#include "kernel/object/conditions.h"
#include "kernel/object/time_format.h"

namespace keelson::node {
namespace {

namespace core_v1 = api_types::core_v1;
namespace collections = client::collections;
using api_types::coordination_v1::Lease;
using base::Result;
using base::Task;
using object::Arena;
using object::Value;

constexpr std::string_view kLeaseNamespace = "kube-node-lease";
constexpr std::int64_t kLeaseSeconds = 40;
constexpr int kAttempts = 5;
constexpr base::Duration kRetry = std::chrono::seconds(1);
constexpr std::size_t kMostImages = 50;

struct PressureTexts {
    Pressure pressure;
    std::string_view pressed_reason;
    std::string_view pressed_message;
    std::string_view calm_reason;
    std::string_view calm_message;
};
constexpr PressureTexts kPressures[] = {
    {Pressure::memory, "KubeletHasInsufficientMemory", "kubelet has insufficient memory available",
     "KubeletHasSufficientMemory", "kubelet has sufficient memory available"},
    {Pressure::disk, "KubeletHasDiskPressure", "kubelet has disk pressure", "KubeletHasNoDiskPressure",
     "kubelet has no disk pressure"},
    {Pressure::processes, "KubeletHasInsufficientPID", "kubelet has insufficient PID available",
     "KubeletHasSufficientPID", "kubelet has sufficient PID available"}};

client::WriteOptions own_write() {
    client::WriteOptions options;
    options.field_manager = "kubelet";
    return options;
}

bool is_address(const core_v1::NodeAddress address, std::string_view type, std::string_view value) {
    return address.type() == type && address.address() == value;
}

}  // namespace

NodeObject::NodeObject(const NodeSettings& settings, const NodeParts& parts, client::EventRecorder& recorder,
                       NodePressure& pressure)
    : settings_(settings),
      parts_(parts),
      recorder_(recorder),
      pressure_(pressure),
      facts_(read_machine_facts()) {}

Task<void> NodeObject::register_node() {
    while (true) {
        auto registering = create_or_adopt();
        const Result<void> registered = co_await registering;
        if (registered) co_return;
        base::log_warning("the node cannot register itself yet",
                          {{"node", settings_.name}, {"reason", registered.error()}});
        auto waiting = pause_.sleep(kRetry);
        const bool goes_on = co_await waiting;
        if (!goes_on) co_return;
    }
}

Task<Result<void>> NodeObject::create_or_adopt() {
    object::Document document;
    document.root = Value::map(document.arena);
    const core_v1::Node node(document.root);
    node.make_metadata(document.arena).set_name(document.arena, settings_.name);
    put_facts(document.root, document.arena);
    auto creating = parts_.client.create(collections::nodes.address(), document.root, own_write());
    client::Client::Object created = co_await creating;
    if (!created && created.error().code() != 409) co_return std::move(created).error();
    // Others write the node as well: its addresses for pods, its taints.
    for (int attempt = 1;; ++attempt) {
        auto writing = write_status();
        Result<void> written = co_await writing;
        if (written || written.error().code() != 409 || attempt == kAttempts) co_return written;
    }
}

Task<void> NodeObject::keep_alive() {
    while (true) {
        auto renewing = renew_lease();
        const Result<void> renewed = co_await renewing;
        if (!renewed)
            base::log_warning("the node's lease was not renewed",
                              {{"node", settings_.name}, {"reason", renewed.error()}});
        auto writing = write_status();
        const Result<void> written = co_await writing;
        if (!written) {
            base::log_warning("the node's status was not written",
                              {{"node", settings_.name}, {"reason", written.error()}});
            // Somebody has deleted the node: it comes back as long as this process runs.
            if (written.error().code() == 404) {
                auto registering = register_node();
                co_await registering;
            }
        }
        auto waiting = pause_.sleep(settings_.heartbeat);
        const bool goes_on = co_await waiting;
        if (!goes_on) co_return;
    }
}

Task<Result<void>> NodeObject::renew_lease() {
    const client::Address address = collections::leases.address(kLeaseNamespace, settings_.name);
    auto getting = parts_.client.get(address);
    client::Client::Object present = co_await getting;
    const std::string now = object::format_micro_time(object::instant_of(parts_.executor.clock().wall_now()));
    if (present) {
        const Lease lease(present->root);
        lease.spec().set_renew_time(present->arena, now);
        lease.spec().set_holder_identity(present->arena, settings_.name);
        lease.spec().set_lease_duration_seconds(present->arena, kLeaseSeconds);
        auto updating = parts_.client.update(address, present->root, own_write());
        client::Client::Object updated = co_await updating;
        if (!updated) co_return std::move(updated).error();
        co_return base::ok();
    }
    if (present.error().code() != 404) co_return std::move(present).error();
    auto reading = parts_.client.get(collections::nodes.address({}, settings_.name));
    client::Client::Object node = co_await reading;
    object::Document document;
    document.root = Value::map(document.arena);
    const Lease lease(document.root);
    const auto metadata = lease.make_metadata(document.arena);
    metadata.set_name(document.arena, settings_.name);
    metadata.set_namespace(document.arena, kLeaseNamespace);
    if (node) {
        const auto owner = metadata.make_owner_references(document.arena).add(document.arena);
        owner.set_api_version(document.arena, "v1");
        owner.set_kind(document.arena, "Node");
        owner.set_name(document.arena, settings_.name);
        owner.set_uid(document.arena, core_v1::Node(node->root).metadata().uid());
    }
    const auto spec = lease.make_spec(document.arena);
    spec.set_holder_identity(document.arena, settings_.name);
    spec.set_lease_duration_seconds(document.arena, kLeaseSeconds);
    spec.set_renew_time(document.arena, now);
    auto creating =
        parts_.client.create(collections::leases.address(kLeaseNamespace), document.root, own_write());
    client::Client::Object created = co_await creating;
    if (!created) co_return std::move(created).error();
    co_return base::ok();
}

NodeObject::Readiness NodeObject::readiness_from(const Result<RuntimeInfo>& runtime) {
    if (!runtime)
        return {false, "KubeletNotReady", "container runtime is down: " + runtime.error().message()};
    runtime_ = *runtime;
    return {true, "KubeletReady", "kubelet is posting ready status"};
}

Task<Result<void>> NodeObject::write_status() {
    auto asking = parts_.runtime.info();
    const Result<RuntimeInfo> info = co_await asking;
    const Readiness readiness = readiness_from(info);
    std::vector<Image> images;
    if (info) {
        auto listing = parts_.images.list();
        Result<std::vector<Image>> listed = co_await listing;
        if (listed) images = std::move(*listed);
    }
    auto getting = parts_.client.get(collections::nodes.address({}, settings_.name));
    client::Client::Object node = co_await getting;
    if (!node) co_return std::move(node).error();
    object::Document old;
    old.root = node->root["status"].clone(old.arena);
    put_facts(node->root, node->arena);
    const Value status = node->root["status"];
    put_conditions(status, readiness, node->arena);
    put_images(status, std::move(images), node->arena);
    const base::MonotonicTime now = parts_.executor.clock().now();
    const bool is_due =
        status_written_ == base::MonotonicTime() || now - status_written_ >= settings_.status_interval;
    if (!is_due && object::is_same_status(old.root, status)) co_return base::ok();
    const std::string time = object::format_time(object::instant_of(parts_.executor.clock().wall_now()));
    for (const core_v1::NodeCondition condition : core_v1::NodeStatus(status).conditions())
        condition.set_last_heartbeat_time(node->arena, time);
    auto writing =
        parts_.client.update_status(collections::nodes.address({}, settings_.name), node->root, own_write());
    client::Client::Object written = co_await writing;
    if (!written) co_return std::move(written).error();
    status_written_ = now;
    co_return base::ok();
}

void NodeObject::put_facts(Value root, Arena& arena) {
    const core_v1::Node node(root);
    const Value labels = root.child_map(arena, "metadata").child_map(arena, "labels");
    const auto label = [&](std::string_view name, std::string_view value) {
        labels.set(arena, name, Value::string(arena, value));
    };
    label("kubernetes.io/hostname", settings_.name);
    label("kubernetes.io/os", "linux");
    label("kubernetes.io/arch", facts_.architecture);
    label("beta.kubernetes.io/os", "linux");
    label("beta.kubernetes.io/arch", facts_.architecture);
    for (const auto& [name, value] : settings_.labels) label(name, value);
    // Whoever looks for DNS servers must not find one that was switched off.
    if (settings_.dns_port != 0)
        label(network::kDnsPortLabel, std::to_string(settings_.dns_port));
    else
        labels.erase(network::kDnsPortLabel);
    const auto status = node.make_status(arena);
    const MachineState state = read_machine_state(settings_.root_directory);
    for (const std::string_view list : {"capacity", "allocatable"}) {
        const Value amounts = status.untyped().child_map(arena, list);
        const auto amount = [&](std::string_view name, const std::string& text) {
            amounts.set(arena, name, Value::string(arena, text));
        };
        amount("cpu", std::to_string(facts_.processors));
        // What the kernel of the machine and this process need is not for pods.
        const std::int64_t kept =
            list == "allocatable" ? std::min(facts_.memory_bytes, settings_.eviction.memory_available_bytes)
                                  : 0;
        amount("memory", kibibytes(facts_.memory_bytes - kept));
        amount("ephemeral-storage", list == "allocatable" ? std::to_string(state.disk_bytes / 10 * 9)
                                                          : kibibytes(state.disk_bytes));
        amount("pods", std::to_string(settings_.maximum_pods));
        amount("hugepages-1Gi", "0");
        amount("hugepages-2Mi", "0");
    }
    const auto addresses = status.make_addresses(arena);
    const auto wanted = settings_.addresses.empty() ? facts_.addresses : settings_.addresses;
    const bool is_same =
        addresses.size() == wanted.size() + 1 && std::ranges::all_of(wanted, [&](const std::string& address) {
            return std::ranges::any_of(addresses, [&](core_v1::NodeAddress present) {
                return is_address(present, "InternalIP", address);
            });
        });
    if (!is_same) {
        while (!addresses.empty()) addresses.untyped().remove_at(addresses.size() - 1);
        for (const std::string& address : wanted) {
            const core_v1::NodeAddress made = addresses.add(arena);
            made.set_type(arena, "InternalIP");
            made.set_address(arena, address);
        }
        const core_v1::NodeAddress made = addresses.add(arena);
        made.set_type(arena, "Hostname");
        made.set_address(arena, settings_.name);
    }
    if (settings_.port != 0)
        status.make_daemon_endpoints(arena).make_kubelet_endpoint(arena).set_port(arena, settings_.port);
    const auto system = status.make_node_info(arena);
    system.set_machine_id(arena, facts_.machine_id);
    system.set_system_uuid(arena, facts_.system_uuid);
    system.set_boot_id(arena, facts_.boot_id);
    system.set_kernel_version(arena, facts_.kernel_version);
    system.set_os_image(arena, facts_.os_image);
    system.set_container_runtime_version(
        arena, runtime_.name.empty() ? "" : runtime_.name + "://" + runtime_.version);
    system.set_kubelet_version(arena, settings_.version);
    system.set_kube_proxy_version(arena, "");
    system.set_operating_system(arena, "linux");
    system.set_architecture(arena, facts_.architecture);
}

void NodeObject::put_conditions(Value status, const Readiness& readiness, Arena& arena) {
    const MachineState state = read_machine_state(settings_.root_directory);
    const Value conditions = core_v1::NodeStatus(status).make_conditions(arena).untyped();
    const base::WallTime now = parts_.executor.clock().wall_now();
    pressure_.look(state, facts_.process_limit, parts_.executor.clock().now());
    for (const PressureTexts& texts : kPressures) {
        const bool is_pressed = pressure_.has(texts.pressure);
        object::set_condition(conditions,
                              {condition_of(texts.pressure), is_pressed ? "True" : "False",
                               is_pressed ? texts.pressed_reason : texts.calm_reason,
                               is_pressed ? texts.pressed_message : texts.calm_message},
                              now, arena);
    }
    object::set_condition(
        conditions, {"Ready", readiness.is_ready ? "True" : "False", readiness.reason, readiness.message},
        now, arena);
}

void NodeObject::put_images(Value status, std::vector<Image> images, Arena& arena) {
    std::ranges::stable_sort(images, std::greater(), &Image::size_bytes);
    if (images.size() > kMostImages) images.resize(kMostImages);
    status.erase("images");
    if (images.empty()) return;
    const auto list = core_v1::NodeStatus(status).make_images(arena);
    for (const Image& image : images) {
        const core_v1::ContainerImage made = list.add(arena);
        const auto names = made.make_names(arena);
        for (const std::string& name : image.digests)
            names.add(arena, Value::string(arena, name).as_string());
        for (const std::string& name : image.names) names.add(arena, Value::string(arena, name).as_string());
        made.set_size_bytes(arena, image.size_bytes);
    }
}

}  // namespace keelson::node
