// The OCI configuration (config.json) of a container.
#ifndef KEELSON_OCI_SPECIFICATION_H
#define KEELSON_OCI_SPECIFICATION_H

#include <sys/types.h>

#include <string>
#include <vector>

#include "images/image_store.h"
#include "keelson/runtime.hpp"
#include "users.h"

namespace keelson::oci {

// What a container stands in.
struct Surroundings {
    const runtime::RunSandbox& sandbox;
    std::string root;           // the mounted root directory
    std::string shared_memory;  // the directory that /dev/shm shows; empty: the host's
    std::string hostname_file;
    std::string cgroup;      // a path below the root of every hierarchy
    pid_t shim;              // whose network, ipc and host name the pod has
    pid_t processes_of = 0;  // whose process namespace it joins; 0: as the sandbox says
};

// Throws Code::invalid for what cannot be.
[[nodiscard]] Json specify(const runtime::CreateContainer& request, const ImageConfig& image,
                           const User& user, const Surroundings& around);

// linux.resources, also for an update.
[[nodiscard]] Json specify_resources(const runtime::Resources& resources);

// What is executed in a container: its own process with other words.
[[nodiscard]] Json specify_execution(const Json& specification, const std::vector<std::string>& command,
                                     bool terminal);

}  // namespace keelson::oci

#endif
