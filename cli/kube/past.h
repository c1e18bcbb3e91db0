// Past states of one object, as the server's store still has them.
#pragma once

#include <string>
#include <vector>

#include "cli/kube/resources.h"

namespace keelson::cli::kube {

struct PastState {
    std::string change;  // ADDED, MODIFIED, DELETED
    Object object;       // with its resourceVersion
};

// From the oldest that is kept to the newest.
Result<std::vector<PastState>> past_states(Session& session, const Item& item);

// The object as it was at a revision of the store.
Result<Object> object_at(Api& api, const Item& item, const std::string& revision);

}  // namespace keelson::cli::kube
