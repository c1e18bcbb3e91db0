// Devices of the host in containers.
#ifndef KEELSON_OCI_DEVICES_H
#define KEELSON_OCI_DEVICES_H

#include "keelson/runtime.hpp"

namespace keelson::oci {

// Adds to the "linux" part of a configuration, which has its resources: those that are asked for, or all of
// the host's for a privileged container. Throws Code::invalid for what is no device.
void specify_devices(const runtime::CreateContainer& request, Json& part);

}  // namespace keelson::oci

#endif
