// Which pods stand behind a Service, and how: what EndpointSlices and Endpoints are made of. Pure functions.
// https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kernel/control/controller.h"
#include "kernel/object/accessors/core_v1.h"

namespace keelson::control {

struct ServicePort {
    std::string name;
    std::string protocol;
    std::int64_t port = 0;
    std::string app_protocol;
    // NOLINTNEXTLINE: clang-tidy 14 takes it for a null pointer
    auto operator<=>(const ServicePort&) const = default;
};

// The ports of a pod that a Service leads to, in the order of the Service; a named one that the pod does not
// have is left out.
[[nodiscard]] std::vector<ServicePort> ports_of(api_types::core_v1::Service service,
                                                api_types::core_v1::Pod pod);

// Whether a pod can be an endpoint at all: it has an address and has not ended; one that is ending only if
// asked for.
[[nodiscard]] bool can_be_endpoint(api_types::core_v1::Pod pod, bool include_terminating);

// The pod's address of a family ("IPv4" or "IPv6"); empty when it has none.
[[nodiscard]] std::string_view address_of(api_types::core_v1::Pod pod, std::string_view family);
[[nodiscard]] bool is_ipv6(std::string_view address);

// The name by which the pod has a DNS record below the Service; empty when it has none.
[[nodiscard]] std::string_view host_name_of(api_types::core_v1::Service service, api_types::core_v1::Pod pod);

// Says which pod an endpoint is.
void refer_to_pod(api_types::core_v1::ObjectReference reference, const client::CachedObject& pod,
                  object::Arena& arena);

[[nodiscard]] bool is_headless(api_types::core_v1::Service service);
// Services without a selector, and names of others, have no endpoints that are made for them.
[[nodiscard]] bool has_made_endpoints(api_types::core_v1::Service service);

// The keys of the Services that may have to do with a pod, as it was or as it is.
void enqueue_services_of(const Informer& services, const ObjectPointer& before, const ObjectPointer& now,
                         Queue& queue);
// The pods that a Service selects.
[[nodiscard]] ObjectList selected_pods(const Informer& pods, const ObjectPointer& service);

// When what a Service's endpoints follow from changed last: the earliest change since the call before.
// Nothing when nothing did. (The annotation endpoints.kubernetes.io/last-change-trigger-time.)
class TriggerTimes {
  public:
    [[nodiscard]] std::optional<std::string> next(const ObjectPointer& service, const ObjectList& pods);
    void forget(const ObjectKey& service) { known_.erase(service); }

  private:
    struct Known {
        std::string service;
        std::map<std::string, std::string, std::less<>> pods;
    };
    std::map<ObjectKey, Known> known_;
};

inline constexpr std::string_view trigger_time_annotation =
    "endpoints.kubernetes.io/last-change-trigger-time";
inline constexpr std::string_view headless_label = "service.kubernetes.io/headless";

}  // namespace keelson::control
