// The C table of keelson.host.objects over an ObjectsService: what a plugin's thread waits in.
#pragma once

#include <keelson/host.h>

#include "kernel/plugin/objects_service.h"

namespace keelson::plugin {

// While it lives on a thread, objects cannot be asked for there: methods of short capabilities run in threads
// that the kernel needs for the answer.
class ObjectsForbidden {
  public:
    explicit ObjectsForbidden(bool is_forbidden);
    ~ObjectsForbidden();
    ObjectsForbidden(const ObjectsForbidden&) = delete;
    ObjectsForbidden& operator=(const ObjectsForbidden&) = delete;

  private:
    bool before_;
};

// Asks and waits until the service has answered, or some time after the deadline. Called by plugins: bounds
// the request, survives tables that are short or empty.
[[nodiscard]] std::int32_t ask_objects(ObjectsService& service, ObjectVerb verb, const keelson_call* call,
                                       keelson_bytes request, keelson_reply* reply);

}  // namespace keelson::plugin
