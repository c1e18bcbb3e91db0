// A snapshot that waits for the next start to become the store. Restoring needs a store that nobody has open,
// so the admin API only checks it and puts it there; keelsond takes it before it opens the store. Calls
// block.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "kernel/base/result.h"
#include "kernel/store/store.h"

namespace keelson::admin {

struct StagedRestore {
    std::string sha256;
    std::uint64_t bytes = 0;
};

// The revision that a store made of the snapshot would start at. Makes such a store in `scratch_directory`
// and removes it again: what passes here can be restored.
[[nodiscard]] base::Result<store::Revision> check_snapshot(const std::string& path,
                                                           const std::string& scratch_directory);

// Moves a checked file into place; one that was staged before is forgotten.
[[nodiscard]] base::Result<void> stage_restore(const std::string& path, const std::string& work_directory,
                                               const std::string& sha256);
[[nodiscard]] std::optional<StagedRestore> staged_restore(const std::string& work_directory);
// False when there was none.
[[nodiscard]] base::Result<bool> forget_staged_restore(const std::string& work_directory);

// For keelsond, before it opens the store in `store_directory`: restores what is staged below
// `data_directory` and forgets it. Returns the revision that the store starts at, or nothing when nothing is
// staged. On failure the store is as it was and the snapshot stays staged: starting again tries again.
[[nodiscard]] base::Result<std::optional<store::Revision>> take_staged_restore(
    const std::string& data_directory, const std::string& store_directory);

}  // namespace keelson::admin
