#include "kernel/api/event_cache.h"

#include "kernel/resource/codec.h"

namespace keelson::api {
namespace {

using resource::WatchEventType;

BodyPiece make_json(WatchEventType type, const store::Record& record) {
    // Room for what stands around the object and for its resourceVersion.
    constexpr std::size_t kAroundBytes = 64;
    std::string text;
    text.reserve(record.bytes.size() + kAroundBytes);
    text += "{\"type\":\"";
    text += event_type_text(type);
    text += "\",\"object\":";
    resource::append_json(record, resource::WithKind::yes, text);
    text += "}\n";
    return std::make_shared<const std::string>(std::move(text));
}

}  // namespace

std::string_view event_type_text(WatchEventType type) {
    switch (type) {
        case WatchEventType::added:
            return "ADDED";
        case WatchEventType::modified:
            return "MODIFIED";
        case WatchEventType::removed:
            return "DELETED";
        default:
            return "BOOKMARK";
    }
}

BodyPiece EventCache::json(WatchEventType type, const store::Record& record) {
    if (record.bytes.size() > kLimitBytes) return make_json(type, record);
    const std::lock_guard lock(mutex_);
    for (const Event& event : events_)
        if (event.revision == record.modified && event.type == type && event.key == record.key)
            return event.text;
    Event& replaced = events_[oldest_++ % kEvents];
    replaced = {std::string(record.key), record.modified, type, make_json(type, record)};
    return replaced.text;
}

std::shared_ptr<EventCache> EventCaches::of(const base::Executor& executor) {
    const std::lock_guard lock(mutex_);
    std::shared_ptr<EventCache>& cache = caches_[&executor];
    if (!cache) cache = std::make_shared<EventCache>();
    return cache;
}

}  // namespace keelson::api
