// Changes as they come: the lines of a watch.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "cli/kube/api.h"

namespace keelson::cli::kube {

struct WatchEvent {
    std::string type;  // ADDED, MODIFIED, DELETED, BOOKMARK
    Object object;
};

// False ends the watch.
using EventSink = std::function<Result<bool>(const WatchEvent& event)>;

using Deadline = std::chrono::steady_clock::time_point;

// Until the sink or the server ends it, or a failure that is_timeout. `call` lists; it is asked to watch. An
// ERROR event is a failure.
Result<void> watch(Api& api, ApiCall call, const std::string& resource_version, const EventSink& sink,
                   std::optional<Deadline> deadline = std::nullopt);

// Lists and watches one object until `is_done`, past ended watches. The object is null while there is none.
using ObjectTest = std::function<Result<bool>(const Object& object)>;
Result<void> watch_object(Api& api, const std::string& collection_path, const std::string& name,
                          const ObjectTest& is_done, std::optional<Deadline> deadline);

}  // namespace keelson::cli::kube
