// Dynamic provisioning: volumes that a volume plugin makes for claims, and deletes after them.
// Source: https://kubernetes.io/docs/concepts/storage/dynamic-provisioning/.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/control/controller.h"

namespace keelson::control {

using Topology = std::map<std::string, std::string>;  // labels of nodes

struct NewVolume {
    std::string name;  // the same again for the same claim
    std::int64_t capacity_bytes = 0;
    std::vector<std::string> access_modes;
    std::string volume_mode;
    std::string file_system;
    std::vector<std::string> mount_options;
    std::map<std::string, std::string> parameters;
    std::vector<Topology> preferred;  // where it is to be reached from; none: anywhere
};

struct MadeVolume {
    std::string id;
    std::int64_t capacity_bytes = 0;
    std::map<std::string, std::string> attributes;
    std::vector<Topology> topology;  // where it can be reached from; none: everywhere
};

// The volume plugins, as the provisioner asks them. Idempotent, as sdk/include/keelson/volume.h says. Tasks
// are awaited on the executor of the controllers. Reasons: service_unavailable and timeout may be tried
// again; method_not_allowed: not there where it is wanted.
class VolumeMakers {
  public:
    virtual ~VolumeMakers() = default;
    // Whether a plugin of that name makes volumes now.
    [[nodiscard]] virtual bool has(const std::string& plugin) const = 0;
    virtual base::Task<base::Result<MadeVolume>> create(std::string plugin, NewVolume wanted) = 0;
    virtual base::Task<base::Result<void>> remove(std::string plugin, std::string id) = 0;
};

// The plugin that a StorageClass means: "keelson.dev/<plugin>", or the plugin's name alone, which is also how
// pods and volumes name it as their driver.
[[nodiscard]] std::string plugin_of_provisioner(std::string_view provisioner);

// The makers outlive the controller.
[[nodiscard]] std::unique_ptr<Controller> make_volume_provisioner(const Surroundings& surroundings,
                                                                  VolumeMakers& makers);

}  // namespace keelson::control
