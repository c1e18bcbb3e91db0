// What a rollback of the store would do, without doing it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/result.h"
#include "kernel/store/store.h"

namespace keelson::admin {

inline constexpr std::size_t preview_keys = 100;

struct RollbackChange {
    std::string key;
    std::string_view change;  // "create", "update" or "remove"
};

struct RollbackPreview {
    store::Revision current = 0;  // that it was compared with
    std::uint64_t created = 0;    // keys that have been removed since and would come back
    std::uint64_t updated = 0;
    std::uint64_t removed = 0;            // keys that have come since
    std::vector<RollbackChange> changes;  // the first in key order, at most preview_keys
    bool is_truncated = false;
};

// Blocks while it reads all keys below the prefix, twice.
[[nodiscard]] base::Result<RollbackPreview> preview_rollback(store::Store& store, const std::string& prefix,
                                                             store::Revision revision);

}  // namespace keelson::admin
