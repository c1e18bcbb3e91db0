// Cluster IPs and node ports of Services. An address is taken by an IPAddress object, a node port by a record
// of its own, both written in the same transaction as the Service; so nothing is handed out twice, also after
// a crash.
#pragma once

#include <string>
#include <vector>

#include "kernel/base/ids.h"
#include "kernel/base/result.h"
#include "kernel/object/value.h"
#include "kernel/resource/lookup.h"
#include "kernel/store/store.h"

namespace keelson::resource {

struct NetworkSettings {
    std::vector<std::string> service_cidrs{
        "10.96.0.0/16"};  // at most one per IP family; the first is primary
    int first_node_port = 30000;
    int last_node_port = 32767;
};

class ServiceAllocation {
  public:
    ServiceAllocation(const Lookup& lookup, base::RandomSource& random, const NetworkSettings& settings)
        : lookup_(lookup), random_(random), settings_(settings) {}

    // Fills spec.ipFamilies, ipFamilyPolicy, clusterIP(s), nodePorts and healthCheckNodePort of a new or
    // changed Service and gives the store operations that take and release them. `old` is unset for a new
    // one. A dry run shows node ports just above the range, as Kubernetes does, rather than ones that it does
    // not take. Fails with Kubernetes' Invalid Status when a wanted address or port cannot be had. `now`: RFC
    // 3339, for the IPAddress objects.
    [[nodiscard]] base::Result<std::vector<store::Operation>> plan(object::Value service, object::Value old,
                                                                   std::string_view now, bool dry_run,
                                                                   object::Arena& arena) const;
    // What a deleted Service gives back.
    [[nodiscard]] base::Result<std::vector<store::Operation>> release(object::Value service,
                                                                      object::Arena& arena) const;

  private:
    const Lookup& lookup_;
    base::RandomSource& random_;
    const NetworkSettings& settings_;
};

// Before an update: a patched Service that does not mention what was allocated keeps it.
void carry_over_allocations(object::Value service, object::Value old, object::Arena& arena);

// The families that the ranges serve, "IPv4" and "IPv6", the primary first.
[[nodiscard]] std::vector<std::string> families_of(const NetworkSettings& settings);

}  // namespace keelson::resource
