// Changes as they come: the lines of a watch.
#pragma once

#include <functional>
#include <string>

#include "cli/kube/api.h"

namespace keelson::cli::kube {

struct WatchEvent {
    std::string type;  // ADDED, MODIFIED, DELETED, BOOKMARK
    Object object;
};

// False ends the watch.
using EventSink = std::function<Result<bool>(const WatchEvent& event)>;

// Until the sink or the server ends it. `call` lists; it is asked to watch. An ERROR event is a failure.
Result<void> watch(Api& api, ApiCall call, const std::string& resource_version, const EventSink& sink);

}  // namespace keelson::cli::kube
