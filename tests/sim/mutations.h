// Bugs that are put in on purpose, to see that the simulation finds them. Each stands between a part of the
// control plane and its way to the API, and makes of a right call what a part with that bug would do.
#pragma once

#include "tests/sim/processes.h"

namespace keelson::sim {

// Controllers delete whatever has the name, not just the object that they saw: the garbage collector ignores
// uids.
[[nodiscard]] Wrapper without_preconditions();
// Controllers read every Deployment as if all of its pods might be unavailable at once.
[[nodiscard]] Wrapper without_max_unavailable();
// The scheduler is told that its bindings failed, so that it forgets what it assumed.
[[nodiscard]] Wrapper without_assumed_pods();
// Controllers see the answers to their writes with revisions that are long past: they do not wait until
// their informers show what they wrote.
[[nodiscard]] Wrapper without_read_your_writes();

}  // namespace keelson::sim
