// Checks the pages of an LMDB file before LMDB itself maps it: LMDB trusts its file, and a reader of a
// truncated or scribbled one is killed by SIGBUS or SIGSEGV. The check reads with pread and believes nothing,
// so it needs no child process to die in its stead. Private to kernel/store.
#pragma once

#include <string>

#include "kernel/base/result.h"

namespace keelson::store {

// Walks every tree from the newest meta page: page numbers, types, sizes, key order, depths, counts, overflow
// runs, each page in one place only, and no page both used and free. Values are not read (they have their own
// checksum). Fails with Reason::store_read_error naming the file and the page; the file is not changed.
[[nodiscard]] base::Result<void> verify_lmdb_file(const std::string& path);

}  // namespace keelson::store
