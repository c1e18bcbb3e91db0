#include <algorithm>
#include <array>

#include "kernel/control/endpoints.h"
#include "kernel/control/pod_state.h"
#include "kernel/control/service_endpoints.h"
#include "kernel/control/slice_writer.h"
#include "kernel/object/accessors/meta_v1.h"

namespace keelson::control {
namespace {

using api_types::core_v1::Node;
using api_types::core_v1::Pod;
using api_types::core_v1::Service;
using api_types::discovery_v1::Endpoint;
using api_types::discovery_v1::EndpointSlice;
using api_types::meta_v1::ObjectMeta;
using base::Result;
using base::Task;
using object::Arena;
using object::Value;

constexpr std::string_view kManager = "endpointslice-controller.k8s.io";
constexpr std::string_view kZoneLabel = "topology.kubernetes.io/zone";
// Annotations that are about the Service itself.
constexpr std::array kOwnAnnotations = {trigger_time_annotation,
                                        std::string_view("kubectl.kubernetes.io/last-applied-configuration"),
                                        std::string_view("control-plane.alpha.kubernetes.io/leader")};

class EndpointSliceController final : public Controller {
  public:
    explicit EndpointSliceController(const Surroundings& surroundings)
        : services_(surroundings.informers.of(client::collections::services)),
          pods_(surroundings.informers.of(client::collections::pods)),
          nodes_(surroundings.informers.of(client::collections::nodes)),
          slices_(surroundings.informers.of(client::collections::endpoint_slices)) {}

    [[nodiscard]] std::string_view name() const override { return "endpointslice"; }

    void watch(Queue& queue) override {
        enqueue_objects(services_, queue);
        pods_.add_handler([this, &queue](const ObjectPointer& before, const ObjectPointer& now) {
            enqueue_services_of(services_, before, now, queue);
        });
        slices_.add_handler([this, &queue](const ObjectPointer& before, const ObjectPointer& now) {
            enqueue_owner(now ? now : before, queue);
        });
        // A pod whose node comes later is an endpoint from then on; a zone may change.
        nodes_.add_handler([this, &queue](const ObjectPointer& before, const ObjectPointer& now) {
            if (before && now && zone_of(before) == zone_of(now)) return;
            for (const ObjectPointer& service : services_.list()) queue.add(service->key());
        });
    }

    Task<Result<Again>> reconcile(ObjectKey key, Writer& writer) override {
        const ObjectPointer object = services_.get(key);
        if (!object) trigger_times_.forget(key);
        if (!object || object->is_being_deleted() || !has_made_endpoints(Service(object->root())))
            co_return done();
        const Service service(object->root());
        const ObjectList pods = selected_pods(pods_, object);
        const auto trigger_time = trigger_times_.next(object, pods);
        for (const std::string& family : families_of(service)) {
            ObjectList present = slices_.controlled_by(object->uid());
            std::erase_if(present, [&](const ObjectPointer& slice) {
                const EndpointSlice typed(slice->root());
                return typed.address_type() != family ||
                       typed.metadata().labels()[managed_by_label] != kManager || slice->is_being_deleted();
            });
            WantedSlices wanted = wanted_slices(object, pods, family);
            wanted.trigger_time = trigger_time;
            auto writing = write_slices(writer, object, std::move(present), std::move(wanted));
            KEELSON_CO_TRY_VOID(co_await writing);
        }
        co_return done();
    }

  private:
    static void enqueue_owner(const ObjectPointer& slice, Queue& queue) {
        const auto labels = EndpointSlice(slice->root()).metadata().labels();
        if (labels[managed_by_label] == kManager)
            queue.add({slice->key().namespace_name, std::string(labels[service_name_label])});
    }

    static std::string_view zone_of(const ObjectPointer& node) {
        return Node(node->root()).metadata().labels()[kZoneLabel];
    }

    static std::vector<std::string> families_of(Service service) {
        std::vector<std::string> families;
        for (const std::string_view family : service.spec().ip_families()) families.emplace_back(family);
        if (families.empty()) families.emplace_back(is_ipv6(service.spec().cluster_ip()) ? "IPv6" : "IPv4");
        return families;
    }

    [[nodiscard]] WantedSlices wanted_slices(const ObjectPointer& object, const ObjectList& pods,
                                             const std::string& family) const {
        const Service service(object->root());
        WantedSlices wanted;
        wanted.address_type = family;
        wanted.describe = [object](ObjectMeta metadata, Arena& arena) { describe(object, metadata, arena); };
        for (const ObjectPointer& pod : pods) {
            if (!can_be_endpoint(pod_of(pod), true) || address_of(pod_of(pod), family).empty()) continue;
            const ObjectPointer node = nodes_.get({"", std::string(pod_of(pod).spec().node_name())});
            // Where it runs is not known yet: it counts when its node is.
            if (!node && !service.spec().publish_not_ready_addresses()) continue;
            wanted.by_ports[ports_of(service, pod_of(pod))].push_back(
                endpoint_of(service, pod, node, family, wanted.arena));
        }
        return wanted;
    }

    static Endpoint endpoint_of(Service service, const ObjectPointer& object, const ObjectPointer& node,
                                const std::string& family, Arena& arena) {
        const Pod pod = pod_of(object);
        const Endpoint endpoint(Value::map(arena));
        endpoint.make_addresses(arena).add(arena, std::string_view(arena.copy(address_of(pod, family))));
        const bool serving = is_ready(pod);
        const bool terminating = object->is_being_deleted();
        const auto conditions = endpoint.make_conditions(arena);
        conditions.set_ready(arena,
                             service.spec().publish_not_ready_addresses() || (serving && !terminating));
        conditions.set_serving(arena, serving);
        conditions.set_terminating(arena, terminating);
        if (const std::string_view name = host_name_of(service, pod); !name.empty())
            endpoint.set_hostname(arena, name);
        refer_to_pod(endpoint.make_target_ref(arena), *object, arena);
        if (!pod.spec().node_name().empty()) endpoint.set_node_name(arena, pod.spec().node_name());
        if (node && !zone_of(node).empty()) endpoint.set_zone(arena, zone_of(node));
        if (conditions.ready()) hint(service, endpoint, arena);
        return endpoint;
    }

    // Whom a ready endpoint is meant for when traffic shall stay near
    // (https://kubernetes.io/docs/concepts/services-networking/service/#traffic-distribution).
    static void hint(Service service, Endpoint endpoint, Arena& arena) {
        const std::string_view wanted = service.spec().traffic_distribution();
        const bool by_node = wanted == "PreferSameNode";
        if (!by_node && wanted != "PreferClose" && wanted != "PreferSameZone") return;
        if (!endpoint.zone().empty())
            endpoint.make_hints(arena).make_for_zones(arena).add(arena).set_name(arena, endpoint.zone());
        if (by_node && !endpoint.node_name().empty())
            endpoint.make_hints(arena).make_for_nodes(arena).add(arena).set_name(arena, endpoint.node_name());
    }

    static void describe(const ObjectPointer& object, ObjectMeta metadata, Arena& arena) {
        const Service service(object->root());
        const auto labels = metadata.make_labels(arena);
        for (const auto [name, value] : service.metadata().labels())
            if (name != headless_label) labels.set(arena, name, value);
        if (is_headless(service)) labels.set(arena, headless_label, "");
        labels.set(arena, service_name_label, object->key().name);
        labels.set(arena, managed_by_label, kManager);
        for (const auto [name, value] : service.metadata().annotations())
            if (std::ranges::find(kOwnAnnotations, name) == kOwnAnnotations.end())
                metadata.make_annotations(arena).set(arena, name, value);
    }

    Informer& services_;
    Informer& pods_;
    Informer& nodes_;
    Informer& slices_;
    TriggerTimes trigger_times_;
};

}  // namespace

std::unique_ptr<Controller> make_endpoint_slice_controller(const Surroundings& surroundings) {
    return std::make_unique<EndpointSliceController>(surroundings);
}

}  // namespace keelson::control
