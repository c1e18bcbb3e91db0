// The engine that keeps everything in memory and nothing on disk: for the simulation, and as the oracle that
// the lmdb engine is tested against. Starts no threads; a commit is applied at the moment its task is
// awaited, so a run is deterministic.
#pragma once

#include <memory>

#include "kernel/base/clock.h"
#include "kernel/store/store.h"

namespace keelson::store {

struct MemoryOptions {
    base::Clock* clock = &base::system_clock();  // must outlive the store
    // Older versions and events are forgotten as commits go on; zero keeps them until compact() is called.
    base::Duration keep_history = std::chrono::minutes(5);
};

// snapshot() fails: there is nothing to copy to.
[[nodiscard]] std::unique_ptr<Store> make_memory_store(MemoryOptions options = {});

}  // namespace keelson::store
