// How soon a thread that wakes up gets its turn beside threads that never sleep.
#pragma once

#include "kernel/base/clock.h"

namespace keelson::base {

// Asks the scheduler for turns of that length (0.1 to 100 ms; zero: as long as everybody's) for the calling
// thread and those that it starts from then on. Who asks for short turns gets them sooner (the EEVDF
// scheduler of Linux 6.12 and later, see sched_setattr(2)); an older kernel, or a real-time thread, goes on
// as before.
void set_time_slice(Duration slice);

}  // namespace keelson::base
