// Rollback as ordinary writes on top of any Store. Private to kernel/store.
#pragma once

#include "kernel/store/store.h"

namespace keelson::store {

// See Store::rollback. Several transactions when there are many keys; each is applied whole, a crash in
// between leaves the rest as it was, and running it again completes it. The store must outlive the task.
[[nodiscard]] base::Task<base::Result<Revision>> rollback_by_writes(Store& store, std::string prefix,
                                                                    Revision revision);

}  // namespace keelson::store
