// The objects that every cluster has before anyone creates one: namespaces, the API's own Service, priority
// classes, the service CIDR, roles.
#pragma once

#include <cstdint>
#include <string>

#include "kernel/base/task.h"
#include "kernel/resource/verbs.h"

namespace keelson::resource {

struct BootstrapSettings {
    std::string advertise_address;  // where clients inside the cluster reach the API; empty: no endpoints
    std::uint16_t api_port = 6443;
};

// Creates what is missing and leaves what is there, but for roles: these get what they lack. Runs at every
// start, before the API serves.
base::Task<base::Result<void>> bootstrap(Verbs& verbs, const BootstrapSettings& settings);

}  // namespace keelson::resource
