// The garbage collector: what loses its last owner goes, and how owners that are being deleted deal with what
// they own. https://kubernetes.io/docs/concepts/architecture/garbage-collection/
#pragma once

#include "kernel/control/controller.h"

namespace keelson::control {

// Add it last: it looks at the metadata of every collection, and shares what others look at.
[[nodiscard]] std::unique_ptr<Controller> make_garbage_collector(const Surroundings& surroundings);

}  // namespace keelson::control
