// keelson.host.objects as the two sides of the plugin border see it: the kernel answers directly, the process
// of an isolated plugin asks the kernel over its socket.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "kernel/plugin/outcome.h"

namespace keelson::plugin {

enum class ObjectVerb : std::uint8_t { get, list, watch };
inline constexpr std::uint16_t kObjectVerbs = 3;
[[nodiscard]] std::string_view verb_text(ObjectVerb verb);

// How long a watch without a deadline waits, and the longest that any call lasts.
inline constexpr std::chrono::seconds kObjectsUsualWait{30};
inline constexpr std::chrono::seconds kObjectsLongestWait{300};

struct ObjectsRequest {
    ObjectVerb verb = ObjectVerb::get;
    std::string body;              // as the plugin wrote it: nothing about it is known yet
    std::int64_t deadline_us = 0;  // monotonic; 0: the plugin set none
};

// Thread-safe.
class ObjectsService {
  public:
    using Done = std::function<void(Outcome)>;
    virtual ~ObjectsService() = default;
    // Answers once, on any thread, perhaps before it returns. The number is for cancel().
    virtual std::uint64_t ask(ObjectsRequest request, Done done) = 0;
    // The answer is no longer wanted; one comes all the same, soon.
    virtual void cancel(std::uint64_t id) = 0;
};

}  // namespace keelson::plugin
