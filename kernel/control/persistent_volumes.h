// The life of PersistentVolumes and their claims.
// Sources: https://kubernetes.io/docs/concepts/storage/persistent-volumes/ and
// https://kubernetes.io/docs/concepts/storage/dynamic-provisioning/.
#pragma once

#include <memory>

#include "kernel/control/controller.h"

namespace keelson::control {

// Binds claims and volumes to each other, releases what has lost its claim, gives claims the default class,
// and asks for volumes that have to be made.
[[nodiscard]] std::unique_ptr<Controller> make_persistent_volume_binder(const Surroundings& surroundings);

// Keeps a claim that is being deleted until no pod on a node uses it, a volume until no claim is bound to it.
[[nodiscard]] std::unique_ptr<Controller> make_claim_protection_controller(const Surroundings& surroundings);
[[nodiscard]] std::unique_ptr<Controller> make_volume_protection_controller(const Surroundings& surroundings);

// Makes the claims of pods' ephemeral volumes.
[[nodiscard]] std::unique_ptr<Controller> make_ephemeral_volume_controller(const Surroundings& surroundings);

}  // namespace keelson::control
