#include <algorithm>
#include <array>

#include "kernel/control/endpoints.h"
#include "kernel/control/service_endpoints.h"
#include "kernel/control/slice_writer.h"
#include "kernel/object/accessors/meta_v1.h"

namespace keelson::control {
namespace {

using api_types::core_v1::EndpointAddress;
using api_types::core_v1::Endpoints;
using api_types::core_v1::EndpointSubset;
using api_types::core_v1::Service;
using api_types::discovery_v1::Endpoint;
using api_types::discovery_v1::EndpointSlice;
using api_types::meta_v1::ObjectMeta;
using base::Result;
using base::Task;
using object::Arena;
using object::ListView;
using object::Value;

constexpr Collection kEndpoints = client::collections::endpoints;
constexpr std::string_view kManager = "endpointslicemirroring-controller.k8s.io";
constexpr std::string_view kSkipLabel = "endpointslice.kubernetes.io/skip-mirror";
constexpr std::string_view kLeaderAnnotation = "control-plane.alpha.kubernetes.io/leader";
constexpr std::size_t kMostOfSubset = 1000;
constexpr std::array kOwnAnnotations = {trigger_time_annotation,
                                        std::string_view("kubectl.kubernetes.io/last-applied-configuration")};

class EndpointMirroringController final : public Controller {
  public:
    explicit EndpointMirroringController(const Surroundings& surroundings)
        : services_(surroundings.informers.of(client::collections::services)),
          endpoints_(surroundings.informers.of(kEndpoints)),
          slices_(surroundings.informers.of(client::collections::endpoint_slices)) {}

    [[nodiscard]] std::string_view name() const override { return "endpointslicemirroring"; }

    void watch(Queue& queue) override {
        enqueue_objects(services_, queue);
        enqueue_objects(endpoints_, queue);
        slices_.add_handler([&queue](const ObjectPointer& before, const ObjectPointer& now) {
            const ObjectPointer& slice = now ? now : before;
            const auto labels = EndpointSlice(slice->root()).metadata().labels();
            if (labels[managed_by_label] == kManager)
                queue.add({slice->key().namespace_name, std::string(labels[service_name_label])});
        });
    }

    Task<Result<Again>> reconcile(ObjectKey key, Writer& writer) override {
        const ObjectPointer object = endpoints_.get(key);
        if (!object) co_return done();
        const bool is_mirrored = is_to_be_mirrored(*object);
        for (const std::string_view family : {"IPv4", "IPv6"}) {
            ObjectList present = slices_.controlled_by(object->uid());
            std::erase_if(present, [&](const ObjectPointer& slice) {
                const EndpointSlice typed(slice->root());
                return typed.address_type() != family ||
                       typed.metadata().labels()[managed_by_label] != kManager;
            });
            WantedSlices wanted;
            wanted.address_type = family;
            wanted.wants_placeholder = false;
            wanted.describe = [object](ObjectMeta metadata, Arena& arena) {
                describe(object, metadata, arena);
            };
            if (is_mirrored)
                for (const EndpointSubset subset : Endpoints(object->root()).subsets())
                    add_subset(wanted, subset);
            auto writing = write_slices(writer, object, std::move(present), std::move(wanted));
            KEELSON_CO_TRY_VOID(co_await writing);
        }
        co_return done();
    }

  private:
    [[nodiscard]] bool is_to_be_mirrored(const client::CachedObject& object) const {
        const Endpoints endpoints(object.root());
        if (object.is_being_deleted() || endpoints.metadata().labels()[kSkipLabel] == "true" ||
            endpoints.metadata().annotations().has(kLeaderAnnotation))
            return false;
        const ObjectPointer service = services_.get(object.key());
        return service && Service(service->root()).spec().selector().empty();
    }

    static void add_subset(WantedSlices& wanted, EndpointSubset subset) {
        std::vector<ServicePort> ports;
        for (const auto port : subset.ports())
            ports.push_back({std::string(port.name()), std::string(port.protocol()), port.port(),
                             std::string(port.app_protocol())});
        std::size_t count = 0;
        add_addresses(wanted, ports, subset.addresses(), true, count);
        add_addresses(wanted, ports, subset.not_ready_addresses(), false, count);
    }

    static void add_addresses(WantedSlices& wanted, const std::vector<ServicePort>& ports,
                              ListView<EndpointAddress> addresses, bool ready, std::size_t& count) {
        for (const EndpointAddress address : addresses) {
            if (is_ipv6(address.ip()) != (wanted.address_type == "IPv6")) continue;
            if (++count > kMostOfSubset) return;
            wanted.by_ports[ports].push_back(endpoint_of(address, ready, wanted.arena));
        }
    }

    static Endpoint endpoint_of(EndpointAddress address, bool ready, Arena& arena) {
        const Endpoint endpoint(Value::map(arena));
        endpoint.make_addresses(arena).add(arena, std::string_view(arena.copy(address.ip())));
        endpoint.make_conditions(arena).set_ready(arena, ready);
        if (!address.hostname().empty()) endpoint.set_hostname(arena, address.hostname());
        if (address.has_target_ref())
            endpoint.untyped().set(arena, "targetRef", address.target_ref().untyped().clone(arena));
        if (address.has_node_name()) endpoint.set_node_name(arena, address.node_name());
        return endpoint;
    }

    static void describe(const ObjectPointer& object, ObjectMeta metadata, Arena& arena) {
        const Endpoints endpoints(object->root());
        const auto labels = metadata.make_labels(arena);
        for (const auto [name, value] : endpoints.metadata().labels()) labels.set(arena, name, value);
        labels.set(arena, service_name_label, object->key().name);
        labels.set(arena, managed_by_label, kManager);
        for (const auto [name, value] : endpoints.metadata().annotations())
            if (std::ranges::find(kOwnAnnotations, name) == kOwnAnnotations.end())
                metadata.make_annotations(arena).set(arena, name, value);
    }

    Informer& services_;
    Informer& endpoints_;
    Informer& slices_;
};

}  // namespace

std::unique_ptr<Controller> make_endpoint_mirroring_controller(const Surroundings& surroundings) {
    return std::make_unique<EndpointMirroringController>(surroundings);
}

}  // namespace keelson::control
