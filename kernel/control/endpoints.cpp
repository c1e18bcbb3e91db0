#include "kernel/control/endpoints.h"

#include <algorithm>
#include <map>

#include "kernel/control/pod_state.h"
#include "kernel/control/service_endpoints.h"
#include "kernel/object/accessors/meta_v1.h"
#include "kernel/object/conditions.h"

namespace keelson::control {
namespace {

using api_types::core_v1::EndpointAddress;
using api_types::core_v1::Endpoints;
using api_types::core_v1::EndpointSubset;
using api_types::core_v1::Pod;
using api_types::core_v1::Service;
using base::Result;
using base::Task;
using object::Arena;
using object::Document;
using object::ListView;
using object::Value;

constexpr Collection kEndpoints = client::collections::endpoints;
constexpr std::string_view kManagedBy = "endpoints.kubernetes.io/managed-by";
constexpr std::string_view kManager = "endpoint-controller";
constexpr std::string_view kOverCapacity = "endpoints.kubernetes.io/over-capacity";
constexpr std::size_t kMostAddresses = 1000;

struct Subset {
    ObjectList ready;
    ObjectList not_ready;
};
using Subsets = std::map<std::vector<ServicePort>, Subset>;

class EndpointsController final : public Controller {
  public:
    explicit EndpointsController(const Surroundings& surroundings)
        : services_(surroundings.informers.of(client::collections::services)),
          pods_(surroundings.informers.of(client::collections::pods)),
          endpoints_(surroundings.informers.of(kEndpoints)) {}

    [[nodiscard]] std::string_view name() const override { return "endpoint"; }

    void watch(Queue& queue) override {
        enqueue_objects(services_, queue);
        enqueue_objects(endpoints_, queue);
        pods_.add_handler([this, &queue](const ObjectPointer& before, const ObjectPointer& now) {
            enqueue_services_of(services_, before, now, queue);
        });
    }

    Task<Result<Again>> reconcile(ObjectKey key, Writer& writer) override {
        const ObjectPointer service = services_.get(key);
        const ObjectPointer present = endpoints_.get(key);
        if (!service) {
            trigger_times_.forget(key);
            auto removing = remove_own(present, writer);
            KEELSON_CO_TRY_VOID(co_await removing);
            co_return done();
        }
        if (service->is_being_deleted() || !has_made_endpoints(Service(service->root()))) co_return done();
        Document document;
        describe(document, service, present);
        if (present && is_same(*present, document)) co_return done();
        auto writing =
            present ? writer.update(kEndpoints, document.root) : writer.create(kEndpoints, document.root);
        const Writer::Object written = co_await writing;
        if (!written && !(written.error().code() == 403 && !present)) co_return written.error();
        co_return done();
    }

  private:
    // Others may have written Endpoints of their own.
    static Task<Result<void>> remove_own(ObjectPointer present, Writer& writer) {
        if (!present || Endpoints(present->root()).metadata().labels()[kManagedBy] != kManager)
            co_return base::ok();
        auto removing = writer.remove(kEndpoints, present, {});
        const Result<void> removed = co_await removing;
        if (!removed && removed.error().code() != 404) co_return removed.error();
        co_return base::ok();
    }

    void describe(Document& document, const ObjectPointer& object, const ObjectPointer& present) {
        const Service service(object->root());
        Arena& arena = document.arena;
        if (present)
            document = present->clone();
        else
            document.root = Value::map(arena);
        const Endpoints endpoints(document.root);
        const auto metadata = endpoints.make_metadata(arena);
        metadata.set_name(arena, object->key().name);
        metadata.set_namespace(arena, object->key().namespace_name);
        metadata.clear_labels();
        const auto labels = metadata.make_labels(arena);
        for (const auto [name, value] : service.metadata().labels())
            if (name != headless_label) labels.set(arena, name, value);
        if (is_headless(service)) labels.set(arena, headless_label, "");
        labels.set(arena, kManagedBy, kManager);

        const ObjectList pods = selected_pods(pods_, object);
        const auto annotations = metadata.make_annotations(arena);
        annotations.erase(trigger_time_annotation);
        annotations.erase(kOverCapacity);
        if (const auto time = trigger_times_.next(object, pods))
            annotations.set(arena, trigger_time_annotation, *time);
        endpoints.clear_subsets();
        if (fill(endpoints, service, pods, arena)) annotations.set(arena, kOverCapacity, "truncated");
        if (annotations.empty()) metadata.clear_annotations();
    }

    // True when there was not room for all.
    static bool fill(Endpoints endpoints, Service service, const ObjectList& pods, Arena& arena) {
        const std::string family = is_ipv6(service.spec().cluster_ip()) ? "IPv6" : first_family(service);
        const bool publishes_all = service.spec().publish_not_ready_addresses();
        Subsets subsets;
        std::size_t count = 0;
        bool is_truncated = false;
        for (const ObjectPointer& object : pods) {
            const Pod pod = pod_of(object);
            if (!can_be_endpoint(pod, publishes_all) || address_of(pod, family).empty()) continue;
            if (++count > kMostAddresses) {
                is_truncated = true;
                break;
            }
            std::vector<ServicePort> ports = ports_of(service, pod);
            // With ports that this pod does not have it is no endpoint; without any it is one.
            if (ports.empty() && !(service.spec().ports().empty() && is_headless(service))) continue;
            Subset& subset = subsets[std::move(ports)];
            (publishes_all || is_ready(pod) ? subset.ready : subset.not_ready).push_back(object);
        }
        for (const auto& [ports, subset] : subsets) {
            const EndpointSubset added = endpoints.make_subsets(arena).add(arena);
            if (!subset.ready.empty()) add(added.make_addresses(arena), service, subset.ready, family, arena);
            if (!subset.not_ready.empty())
                add(added.make_not_ready_addresses(arena), service, subset.not_ready, family, arena);
            for (const ServicePort& port : ports) {
                const auto to = added.make_ports(arena).add(arena);
                if (!port.name.empty()) to.set_name(arena, port.name);
                to.set_port(arena, port.port);
                to.set_protocol(arena, port.protocol);
                if (!port.app_protocol.empty()) to.set_app_protocol(arena, port.app_protocol);
            }
        }
        return is_truncated;
    }

    static std::string first_family(Service service) {
        return service.spec().ip_families().empty() ? "IPv4" : std::string(service.spec().ip_families()[0]);
    }

    static void add(ListView<EndpointAddress> list, Service service, ObjectList pods,
                    const std::string& family, Arena& arena) {
        std::ranges::sort(pods, {}, [&family](const ObjectPointer& pod) {
            return std::pair(address_of(pod_of(pod), family), pod->uid());
        });
        for (const ObjectPointer& object : pods) {
            const Pod pod = pod_of(object);
            const EndpointAddress address = list.add(arena);
            address.set_ip(arena, address_of(pod, family));
            if (const std::string_view name = host_name_of(service, pod); !name.empty())
                address.set_hostname(arena, name);
            if (!pod.spec().node_name().empty()) address.set_node_name(arena, pod.spec().node_name());
            refer_to_pod(address.make_target_ref(arena), *object, arena);
        }
    }

    // When it changed is no change by itself.
    static bool is_same(const client::CachedObject& present, const Document& wanted) {
        const Endpoints one(present.root());
        const Endpoints other(wanted.root);
        return one.subsets().untyped().equals(other.subsets().untyped()) &&
               one.metadata().labels().untyped().equals(other.metadata().labels().untyped()) &&
               one.metadata().annotations().has(kOverCapacity) ==
                   other.metadata().annotations().has(kOverCapacity);
    }

    Informer& services_;
    Informer& pods_;
    Informer& endpoints_;
    TriggerTimes trigger_times_;
};

}  // namespace

std::unique_ptr<Controller> make_endpoints_controller(const Surroundings& surroundings) {
    return std::make_unique<EndpointsController>(surroundings);
}

}  // namespace keelson::control
