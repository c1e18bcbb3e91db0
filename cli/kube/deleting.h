// Deleting one object, and waiting until it is gone.
#pragma once

#include <cstdint>
#include <string>

#include "cli/kube/api.h"
#include "cli/kube/resources.h"

namespace keelson::cli::kube {

struct DeleteWish {
    std::int64_t grace_period_seconds = -1;  // below 0: the object's own
    std::string cascade = "background";      // background, foreground, orphan
    bool is_dry = false;                     // only the server's word that it would
};

// The uid of what is being deleted; empty when the server did not tell.
Result<std::string> delete_item(Api& api, const Item& item, const DeleteWish& wish);

// 0 nanoseconds: for ever.
Result<void> wait_until_gone(Api& api, const Item& item, const std::string& uid, std::int64_t timeout_ns);

}  // namespace keelson::cli::kube
