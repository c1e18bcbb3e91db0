// EndpointSlices: from the endpoints that are wanted and the slices that are there to the fewest writes.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "kernel/control/controller.h"
#include "kernel/control/service_endpoints.h"
#include "kernel/object/accessors/discovery_v1.h"

namespace keelson::control {

inline constexpr std::string_view service_name_label = "kubernetes.io/service-name";
inline constexpr std::string_view managed_by_label = "endpointslice.kubernetes.io/managed-by";
inline constexpr std::size_t most_endpoints_in_slice = 100;

// The endpoints that are wanted, by the ports that they have. The endpoint values live in the arena.
struct WantedSlices {
    object::Arena arena;
    std::string address_type;  // "IPv4", "IPv6"
    std::map<std::vector<ServicePort>, std::vector<api_types::discovery_v1::Endpoint>> by_ports;
    // Keep one slice without endpoints when there are none.
    bool wants_placeholder = true;
    // When what they follow from changed; told by the slices that are written.
    std::optional<std::string> trigger_time;
    // What every slice says of itself: labels and annotations, filled into a new metadata.
    std::function<void(api_types::meta_v1::ObjectMeta, object::Arena&)> describe;
};

// Brings the slices of one owner and address type to what is wanted. Slices that stay keep their endpoints in
// place; one that would be deleted is used for one that would be made.
[[nodiscard]] base::Task<base::Result<void>> write_slices(Writer& writer, ObjectPointer owner,
                                                          ObjectList present, WantedSlices wanted);

}  // namespace keelson::control
