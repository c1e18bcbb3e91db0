// Watches: a cursor over the store, written to the client as fast as it takes the events.
#include <algorithm>
#include <coroutine>
#include <mutex>
#include <optional>

#include "kernel/api/event_cache.h"
#include "kernel/api/kubernetes_handler.h"
#include "kernel/api/options.h"
#include "kernel/api/representation.h"
#include "kernel/object/json.h"
#include "kernel/object/protobuf.h"
#include "kernel/resource/codec.h"
#include "kernel/resource/convert.h"
#include "kernel/resource/listing.h"

namespace keelson::api {
namespace {

using base::Status;
using base::Task;
using object::Arena;
using object::Value;
using resource::Call;
using resource::WatchEventType;
using resource::WatchStream;

constexpr std::size_t kEventsAtOnce = 128;
constexpr base::Duration kBookmarkInterval = std::chrono::minutes(1);
// Watches that do not say how long end after 30 to 60 minutes, so that reconnects spread out.
constexpr std::int64_t kLeastTimeoutSeconds = 1800;

// What is found for a client at one time. An event that is alone is sent as all watchers share it.
class Outgoing {
  public:
    void add(BodyPiece event) {
        if (!alone_ && text_.empty())
            alone_ = std::move(event);
        else
            text() += *event;
    }
    // To write the next event to.
    [[nodiscard]] std::string& text() {
        if (alone_) text_ = *std::exchange(alone_, {});
        return text_;
    }
    [[nodiscard]] bool empty() const { return !alone_ && text_.empty(); }
    [[nodiscard]] BodyPiece take() {
        if (alone_) return std::move(alone_);
        return std::make_shared<const std::string>(std::exchange(text_, {}));
    }

  private:
    BodyPiece alone_;
    std::string text_;
};

// Writes events in the format and shape that the client asked for.
class EventWriter {
  public:
    EventWriter(const Call& call, const Representation& representation, base::Clock& clock,
                std::shared_ptr<EventCache> cache)
        : call_(call),
          stored_(resource::storage_of(*call.resource)),
          representation_(representation),
          clock_(clock),
          cache_(std::move(cache)) {}

    void write(WatchEventType type, const store::Record& record, Outgoing& out) {
        if (type == WatchEventType::bookmark || type == WatchEventType::initial_events_end)
            return write_value(event_type_text(type),
                               bookmark(record.modified, type == WatchEventType::initial_events_end),
                               out.text());
        if (representation_.is_plain() && &stored_ == call_.resource)
            return out.add(cache_->json(type, record));
        auto object = resource::decode(record, arena_);
        auto converted =
            object ? resource::convert(stored_, *call_.resource, *object, arena_) : std::move(object);
        if (converted) write_value(event_type_text(type), shaped(*converted), out.text());
        arena_ = {};
    }

    void write_error(const Status& status, std::string& out) {
        auto value = object::parse_json_copy(status_json(status), arena_);
        if (value) write_frame("ERROR", *value, *object::find_type("meta/v1.Status"), out);
        arena_ = {};
    }

  private:
    Value bookmark(store::Revision revision, bool end_of_initial) {
        Value metadata = Value::map(arena_);
        metadata.set(arena_, "resourceVersion", Value::string(arena_, std::to_string(revision)));
        if (end_of_initial) {
            Value annotations = Value::map(arena_);
            annotations.set(arena_, "k8s.io/initial-events-end", Value::reference("true"));
            metadata.set(arena_, "annotations", annotations);
        }
        Value object = Value::map(arena_);
        object.set(arena_, "kind", Value::reference(call_.resource->kind));
        object.set(arena_, "apiVersion", Value::reference(object::api_version_of(*call_.resource)));
        object.set(arena_, "metadata", metadata);
        return object;
    }

    Value shaped(Value object) {
        if (representation_.shape == Shape::metadata) return partial_metadata(object, arena_);
        if (representation_.shape == Shape::object) return object;
        auto now = std::chrono::floor<std::chrono::seconds>(clock_.wall_now().time_since_epoch()).count();
        Value objects[] = {object};
        return table_of(*call_.resource->type, objects, representation_.include_object,
                        std::exchange(first_table_, false), now, arena_);
    }

    void write_value(std::string_view type, Value object, std::string& out) {
        const object::Type* its_type = call_.resource->type;
        if (representation_.shape == Shape::metadata && type != "BOOKMARK")
            its_type = object::find_type("meta/v1.PartialObjectMetadata");
        write_frame(type, object, *its_type, out);
    }

    void write_frame(std::string_view type, Value object, const object::Type& its_type, std::string& out) {
        if (representation_.format != Format::protobuf) {
            out += "{\"type\":\"";
            out += type;
            out += "\",\"object\":";
            object::write_json(object, out);
            out += "}\n";
            return;
        }
        std::string message, wrapped;
        object::encode_message(its_type, object, message);
        object::wrap_message(object["apiVersion"].as_string(), object["kind"].as_string(), message, wrapped);
        std::string event = object::watch_event_message(type, wrapped);
        auto size = static_cast<std::uint32_t>(event.size());
        for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>((size >> shift) & 0xff);
        out += event;
    }

    const Call& call_;
    const object::Resource& stored_;
    Representation representation_;
    base::Clock& clock_;
    std::shared_ptr<EventCache> cache_;
    Arena arena_;
    bool first_table_ = true;
};

// What a waiting watch may be woken by; whichever comes first completes it.
enum class Wake : std::uint8_t { events, deadline, closed };

// Waits for one of them, again and again. The timer and the look-out for the client stay from one wait to the
// next, and a wait allocates nothing: a busy watch waits thousands of times. Used on the exchange's executor
// only.
class Waker {
  public:
    Waker(Exchange& exchange, WatchStream& stream) : exchange_(exchange), stream_(stream) {
        exchange_.on_close([state = state_] { state->wake(Wake::closed); });
    }
    ~Waker() {
        if (timer_) timer_->cancel();
        exchange_.on_close({});
    }
    Waker(const Waker&) = delete;
    Waker& operator=(const Waker&) = delete;

  private:
    // What wakes may outlive the watch, and comes from any thread.
    class State {
      public:
        // The first since the last rest() counts.
        void wake(Wake reason) {
            std::lock_guard lock(mutex_);
            if (reason_) return;
            reason_ = reason;
            if (waiter_) executor_->post([waiter = std::exchange(waiter_, {})] { waiter.resume(); });
        }
        void rest() {
            std::lock_guard lock(mutex_);
            reason_.reset();
        }
        // False when there was a reason to wake already.
        template <typename Promise>
        bool sleep(std::coroutine_handle<Promise> waiter) {
            std::lock_guard lock(mutex_);
            if (reason_) return false;
            waiter_ = waiter;
            executor_ = waiter.promise().executor;
            return true;
        }
        [[nodiscard]] Wake reason() {
            std::lock_guard lock(mutex_);
            return *reason_;
        }
        bool timer_runs = false;  // on the exchange's executor only

      private:
        std::mutex mutex_;
        std::optional<Wake> reason_;
        std::coroutine_handle<> waiter_;
        base::Executor* executor_ = nullptr;
    };

    struct Awaiter {
        State& state;
        bool await_ready() const noexcept { return false; }
        template <typename Promise>
        bool await_suspend(std::coroutine_handle<Promise> waiter) {
            return state.sleep(waiter);
        }
        Wake await_resume() { return state.reason(); }
    };

  public:
    // To be awaited at once, under a name.
    [[nodiscard]] Awaiter wait(base::MonotonicTime until) {
        state_->rest();
        if (exchange_.closed()) {
            state_->wake(Wake::closed);
            return {*state_};
        }
        if (!state_->timer_runs || until != until_) start_timer(until);
        stream_.arm([state = state_] { state->wake(Wake::events); });
        return {*state_};
    }

  private:
    void start_timer(base::MonotonicTime until) {
        if (timer_) timer_->cancel();
        until_ = until;
        state_->timer_runs = true;
        timer_ = exchange_.executor().post_at(until, [state = state_] {
            state->timer_runs = false;
            state->wake(Wake::deadline);
        });
    }

    Exchange& exchange_;
    WatchStream& stream_;
    std::shared_ptr<State> state_ = std::make_shared<State>();
    std::shared_ptr<base::Timer> timer_;
    base::MonotonicTime until_{};
};

base::Duration timeout_of(const resource::ListOptions& options, resource::Verbs& verbs) {
    if (options.timeout_seconds && *options.timeout_seconds > 0)
        return std::chrono::seconds(*options.timeout_seconds);
    return std::chrono::seconds(kLeastTimeoutSeconds +
                                static_cast<std::int64_t>(verbs.random().below(kLeastTimeoutSeconds)));
}

// A failure is told inside the stream, with the code 200 that was sent already.
Task<void> answer_error_event(Exchange& exchange, EventWriter& writer, const Representation& representation,
                              const Status& status) {
    std::string text;
    writer.write_error(status, text);
    std::string type(watch_content_type(representation.format));
    auto begun = co_await exchange.begin_stream(200, type);
    if (!begun) co_return;
    BodyPiece error = std::make_shared<const std::string>(std::move(text));
    auto written = co_await exchange.write(error);
    if (!written) co_return;
    co_await exchange.end_stream();
}

Task<void> pump(Exchange& exchange, resource::Verbs& verbs, WatchStream& stream, EventWriter& writer,
                const resource::ListOptions& options) {
    base::Clock& clock = exchange.executor().clock();
    base::MonotonicTime end = clock.now() + timeout_of(options, verbs);
    base::MonotonicTime next_bookmark = clock.now() + kBookmarkInterval;
    Waker waker(exchange, stream);
    while (!exchange.closed()) {
        Outgoing found;
        auto delivered = stream.poll(kEventsAtOnce, [&](WatchEventType type, const store::Record& record) {
            writer.write(type, record, found);
        });
        if (!delivered) writer.write_error(delivered.error(), found.text());
        if (!found.empty()) {
            BodyPiece events = found.take();
            auto written = co_await exchange.write(events);
            if (!written) co_return;
        }
        if (!delivered) break;
        if (stream.has_more_initial()) continue;
        // Fewer than asked for is mostly all there is; the wait ends at once when it is not.
        if (*delivered >= kEventsAtOnce) continue;
        base::MonotonicTime until = options.allow_watch_bookmarks ? std::min(end, next_bookmark) : end;
        auto waiting = waker.wait(until);
        Wake wake = co_await waiting;
        if (wake == Wake::closed) break;
        if (wake == Wake::events) continue;
        bool is_over = clock.now() >= end;
        if (options.allow_watch_bookmarks) {
            store::Record mark;
            mark.modified = stream.progress();
            Outgoing text;
            writer.write(WatchEventType::bookmark, mark, text);
            BodyPiece bookmark = text.take();
            auto written = co_await exchange.write(bookmark);
            if (!written) co_return;
            next_bookmark = clock.now() + kBookmarkInterval;
        }
        if (is_over) break;
    }
    co_await exchange.end_stream();
}

}  // namespace

Task<void> serve_watch(Exchange& exchange, resource::Verbs& verbs, EventCaches& caches, const Call& call) {
    auto representation = negotiate(exchange.request());
    auto options = parse_list_options(exchange.request());
    if (!representation || !options) {
        exchange.respond(status_response(representation ? options.error() : representation.error()));
        co_return;
    }
    EventWriter writer(call, *representation, verbs.clock(), caches.of(exchange.executor()));
    auto stream = WatchStream::start(verbs.store(), call, *options);
    if (!stream) {
        base::Reason reason = stream.error().reason();
        if (reason == base::Reason::expired || reason == base::Reason::timeout)
            co_await answer_error_event(exchange, writer, *representation, stream.error());
        else
            exchange.respond(status_response(stream.error()));
        co_return;
    }
    std::string type(watch_content_type(representation->format));
    auto begun = co_await exchange.begin_stream(200, type);
    if (!begun) co_return;
    co_await pump(exchange, verbs, *stream, writer, *options);
}

}  // namespace keelson::api
