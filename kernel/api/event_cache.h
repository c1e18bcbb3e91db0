// Watch events as text, made once for all watchers that are sent the same. Internal to the room.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "kernel/api/exchange.h"
#include "kernel/resource/listing.h"

namespace keelson::api {

[[nodiscard]] std::string_view event_type_text(resource::WatchEventType type);

// The newest events of one store in the form that most watchers want: one line of JSON with the object as it
// is stored. Thread-safe; a look-up is meant to find the lock free and the text in this core's cache, so each
// executor has a cache of its own.
class EventCache {
  public:
    [[nodiscard]] BodyPiece json(resource::WatchEventType type, const store::Record& record);

  private:
    // Watchers are woken together, so the last few events are those that are asked for.
    static constexpr std::size_t kEvents = 8;
    // Larger ones take longer to send than to make, and would stay here.
    static constexpr std::size_t kLimitBytes = 32 << 10;

    // Key, revision and type say what an event is in one store.
    struct Event {
        std::string key;
        store::Revision revision = 0;
        resource::WatchEventType type{};
        BodyPiece text;
    };
    std::mutex mutex_;
    std::array<Event, kEvents> events_;
    std::size_t oldest_ = 0;
};

// The caches of one store, by executor. Thread-safe.
class EventCaches {
  public:
    [[nodiscard]] std::shared_ptr<EventCache> of(const base::Executor& executor);

  private:
    std::mutex mutex_;
    std::map<const base::Executor*, std::shared_ptr<EventCache>> caches_;
};

}  // namespace keelson::api
