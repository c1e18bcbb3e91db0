#include "kernel/client/event_recorder.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <deque>
#include <list>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "kernel/base/log.h"
#include "kernel/object/accessors/core_v1.h"
#include "kernel/object/accessors/events_v1.h"
#include "kernel/object/accessors/meta_v1.h"
#include "kernel/object/time_format.h"

namespace keelson::client {
namespace {

namespace core_v1 = api_types::core_v1;
namespace events_v1 = api_types::events_v1;
using api_types::meta_v1::ObjectMeta;
using base::MonotonicTime;
using base::Reason;
using base::Task;
using object::Arena;
using object::Document;
using object::Value;

constexpr std::size_t kLongestMessage = 1024;
constexpr std::size_t kQueueLimit = 1000;
constexpr std::size_t kMemoryLimit = 4096;
// More different messages than that about one thing in that time are told as one.
constexpr std::size_t kAlikeLimit = 10;
constexpr base::Duration kAlikeWindow = std::chrono::minutes(10);
// One source may say that much about one object at once, and one event more every five minutes.
constexpr double kBurst = 25;
constexpr base::Duration kRefill = std::chrono::minutes(5);
// A series that is silent for so long has ended; one that goes on is written again now and then.
constexpr base::Duration kSeriesEnd = std::chrono::minutes(6);
constexpr base::Duration kSeriesRefresh = std::chrono::minutes(30);
constexpr int kAttempts = 3;
constexpr base::Duration kAttemptPause = std::chrono::seconds(1);

// A map that forgets what was used longest ago.
template <typename T>
class Memory {
  public:
    T& at(const std::string& key) {
        if (const auto found = entries_.find(key); found != entries_.end()) {
            order_.splice(order_.begin(), order_, found->second);
            return found->second->second;
        }
        order_.emplace_front(key, T());
        entries_[key] = order_.begin();
        if (order_.size() > kMemoryLimit) {
            entries_.erase(order_.back().first);
            order_.pop_back();
        }
        return order_.front().second;
    }
    void forget(const std::string& key) {
        const auto found = entries_.find(key);
        if (found == entries_.end()) return;
        order_.erase(found->second);
        entries_.erase(found);
    }

  private:
    using Order = std::list<std::pair<std::string, T>>;
    Order order_;
    std::map<std::string, typename Order::iterator> entries_;
};

// What an event refers to, kept apart from the object.
struct Reference {
    std::string kind;
    std::string api_version;
    std::string namespace_name;
    std::string name;
    std::string uid;
    std::string resource_version;
    std::string field_path;

    Reference() = default;
    explicit Reference(Value object) {
        const ObjectMeta metadata(object["metadata"]);
        kind = object["kind"].to_string();
        api_version = object["apiVersion"].to_string();
        namespace_name = metadata.namespace_();
        name = metadata.name();
        uid = metadata.uid();
        resource_version = metadata.resource_version();
    }
    [[nodiscard]] std::string text() const {
        return kind + '\0' + api_version + '\0' + namespace_name + '\0' + name + '\0' + uid + '\0' +
               field_path;
    }
    void write(core_v1::ObjectReference to, Arena& arena) const {
        to.set_kind(arena, kind);
        if (!namespace_name.empty()) to.set_namespace(arena, namespace_name);
        to.set_name(arena, name);
        to.set_uid(arena, uid);
        to.set_api_version(arena, api_version);
        if (!resource_version.empty()) to.set_resource_version(arena, resource_version);
        if (!field_path.empty()) to.set_field_path(arena, field_path);
    }
};

struct Said {
    Reference about;
    Reference related;
    EventType type = EventType::normal;
    std::string reason;
    std::string action;  // of the newer form
    std::string message;
    base::WallTime at{};
    bool is_action = false;

    [[nodiscard]] std::string_view type_text() const {
        return type == EventType::normal ? "Normal" : "Warning";
    }
    [[nodiscard]] std::string kind_of_event() const {
        return about.text() + '\0' + std::string(type_text()) + '\0' + reason;
    }
};

// Cuts at a border of a character.
void shorten(std::string& message) {
    if (message.size() <= kLongestMessage) return;
    std::size_t end = kLongestMessage;
    while (end > 0 && (static_cast<unsigned char>(message[end]) & 0xc0) == 0x80) --end;
    message.resize(end);
}

// The first event of its kind, and how often it came since.
struct Written {
    Address address;
    std::int64_t count = 0;
    MonotonicTime last_seen{};
    MonotonicTime last_written{};
};

struct Alike {
    std::set<std::string> messages;
    MonotonicTime last{};
};

struct Allowance {
    double tokens = kBurst;
    MonotonicTime filled{};
};

class Recorder {
  public:
    Recorder(Client& client, base::Executor& executor, base::RandomSource& random, std::string component,
             std::string host)
        : client_(client),
          executor_(executor),
          random_(random),
          component_(std::move(component)),
          host_(std::move(host)) {}

    void push(Said said) {
        if (queue_.size() >= kQueueLimit) {
            base::log_warning("too many events at once: one is lost",
                              {{"source", component_}, {"reason", said.reason}});
            return;
        }
        shorten(said.message);
        said.at = executor_.clock().wall_now();
        queue_.push_back(std::move(said));
    }

    // Writes what is queued until nothing is.
    Task<void> drain() {
        while (!queue_.empty()) {
            const Said said = std::move(queue_.front());
            queue_.pop_front();
            if (said.is_action) {
                auto writing = write_action(said);
                co_await writing;
            } else {
                auto writing = write_plain(said);
                co_await writing;
            }
        }
    }

    bool is_draining = false;
    std::vector<base::Completion<bool>> waiting_for_end;

  private:
    // The rules of the older form: alike ones are combined, repeated ones counted, talkative ones cut.
    Task<void> write_plain(Said said) {
        const MonotonicTime now = executor_.clock().now();
        Alike& alike = alike_.at(said.kind_of_event());
        if (now - alike.last > kAlikeWindow) alike.messages.clear();
        alike.last = now;
        alike.messages.insert(said.message);
        std::string key = said.kind_of_event();
        if (alike.messages.size() > kAlikeLimit) {
            // One that was combined stands for all: it need not be kept to be told apart.
            alike.messages.erase(alike.messages.begin());
            said.message = "(combined from similar events): " + said.message;
            shorten(said.message);
        } else {
            key += '\0' + said.message;
        }
        if (!may_speak(said.about.text(), now)) co_return;
        Written& written = written_.at(key);
        const std::int64_t count = ++written.count;
        if (count > 1) {
            auto counting = count_up(written.address, said, count);
            const base::Status refusal = co_await counting;
            if (refusal.code() != 404) co_return;
            // It has been deleted meanwhile: begin anew.
            written_.at(key).count = 1;
        }
        Document document;
        const Address address = make_plain(said, document);
        auto beginning = begin(key, address, document.root);
        co_await beginning;
    }

    // The rules of the newer form: what repeats becomes a series, which is written again only now and then.
    Task<void> write_action(Said said) {
        const MonotonicTime now = executor_.clock().now();
        const std::string key = said.kind_of_event() + '\0' + said.action + '\0' + said.related.text();
        Written& written = written_.at(key);
        if (written.count > 0 && now - written.last_seen > kSeriesEnd) written = Written();
        written.last_seen = now;
        const std::int64_t count = ++written.count;
        if (count > 2 && now - written.last_written < kSeriesRefresh) co_return;
        written.last_written = now;
        if (count > 1) {
            auto continuing = continue_series(written.address, said, count);
            const base::Status refusal = co_await continuing;
            if (refusal.code() != 404) co_return;
            written_.at(key).count = 1;
        }
        Document document;
        const Address address = make_action(said, document);
        auto beginning = begin(key, address, document.root);
        co_await beginning;
    }

    // The first of its kind: what comes later counts this one up.
    Task<void> begin(const std::string& key, const Address& address, Value event) {
        auto creating = create(address, event);
        const bool created = co_await creating;
        if (created)
            written_.at(key).address = address;
        else
            written_.forget(key);
    }

    bool may_speak(const std::string& about, MonotonicTime now) {
        Allowance& allowance = allowances_.at(about);
        if (allowance.filled != MonotonicTime{}) {
            const double gained =
                static_cast<double>((now - allowance.filled).count()) / static_cast<double>(kRefill.count());
            allowance.tokens = std::min(kBurst, allowance.tokens + gained);
        }
        allowance.filled = now;
        if (allowance.tokens < 1) return false;
        allowance.tokens -= 1;
        return true;
    }

    // "web-0.18a3f2c4d5e6f708": the object and the time, in the way that kubectl shows them in order.
    std::string make_name(const Said& said) {
        std::array<char, 24> digits{};
        // Two events of one instant need two names, also when two sources write them.
        const auto apart = static_cast<std::int64_t>(random_.below(1'000'000));
        const auto nanoseconds = std::max(last_name_ + 1, said.at.time_since_epoch().count() + apart);
        last_name_ = nanoseconds;
        const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), nanoseconds, 16).ptr;
        return said.about.name + "." + std::string(digits.data(), end);
    }

    Address make_plain(const Said& said, Document& document) {
        Arena& arena = document.arena;
        document.root = Value::map(arena);
        const core_v1::Event event(document.root);
        Address address = put_metadata(event.make_metadata(arena), said, "", arena);
        said.about.write(event.make_involved_object(arena), arena);
        event.set_reason(arena, said.reason);
        event.set_message(arena, said.message);
        event.make_source(arena).set_component(arena, component_);
        if (!host_.empty()) event.source().set_host(arena, host_);
        const std::string now = object::format_time(object::instant_of(said.at));
        event.set_first_timestamp(arena, now);
        event.set_last_timestamp(arena, now);
        event.set_count(arena, 1);
        event.set_type(arena, said.type_text());
        event.set_reporting_component(arena, component_);
        if (!host_.empty()) event.set_reporting_instance(arena, host_);
        return address;
    }

    Address make_action(const Said& said, Document& document) {
        Arena& arena = document.arena;
        document.root = Value::map(arena);
        const events_v1::Event event(document.root);
        Address address = put_metadata(event.make_metadata(arena), said, "events.k8s.io", arena);
        event.set_event_time(arena, object::format_micro_time(object::instant_of(said.at)));
        event.set_reporting_controller(arena, component_);
        event.set_reporting_instance(arena, component_);
        event.set_action(arena, said.action);
        event.set_reason(arena, said.reason);
        said.about.write(event.make_regarding(arena), arena);
        if (!said.related.name.empty()) said.related.write(event.make_related(arena), arena);
        event.set_note(arena, said.message);
        event.set_type(arena, said.type_text());
        return address;
    }

    Address put_metadata(ObjectMeta metadata, const Said& said, std::string_view group, Arena& arena) {
        Address address{std::string(group), "v1", "events", said.about.namespace_name, make_name(said), ""};
        if (address.namespace_name.empty()) address.namespace_name = "default";
        metadata.set_name(arena, address.name);
        metadata.set_namespace(arena, address.namespace_name);
        return address;
    }

    Task<bool> create(Address address, Value event) {
        address.name.clear();
        for (int attempt = 1;; ++attempt) {
            auto creating = client_.create(address, event, {});
            const Client::Object created = co_await creating;
            if (created) co_return true;
            const bool may_help = created.error().code() == 429 || created.error().code() >= 500;
            if (!may_help || attempt == kAttempts) {
                base::log_debug("an event was not written",
                                {{"source", component_}, {"error", created.error()}});
                co_return false;
            }
            co_await base::sleep_for(kAttemptPause);
        }
    }

    // A Status with code 200 stands for success: there is nothing else to say.
    Task<base::Status> patch(Address address, Value change) {
        auto patching = client_.patch(address, PatchType::merge, change, {});
        const Client::Object patched = co_await patching;
        if (patched) co_return base::Status(Reason::unknown, "").with_code(200);
        co_return patched.error();
    }
    Task<base::Status> count_up(const Address& address, const Said& said, std::int64_t count) {
        Document document;
        document.root = Value::map(document.arena);
        const core_v1::Event event(document.root);
        event.set_count(document.arena, count);
        event.set_last_timestamp(document.arena, object::format_time(object::instant_of(said.at)));
        event.set_message(document.arena, said.message);
        auto patching = patch(address, document.root);
        co_return co_await patching;
    }
    Task<base::Status> continue_series(const Address& address, const Said& said, std::int64_t count) {
        Document document;
        document.root = Value::map(document.arena);
        const auto series = events_v1::Event(document.root).make_series(document.arena);
        series.set_count(document.arena, count);
        series.set_last_observed_time(document.arena, object::format_micro_time(object::instant_of(said.at)));
        auto patching = patch(address, document.root);
        co_return co_await patching;
    }

    Client& client_;
    base::Executor& executor_;
    base::RandomSource& random_;
    std::string component_;
    std::string host_;
    std::deque<Said> queue_;
    Memory<Alike> alike_;
    Memory<Allowance> allowances_;
    Memory<Written> written_;
    std::int64_t last_name_ = 0;
};

class BackgroundRecorder final : public EventRecorder {
  public:
    BackgroundRecorder(Client& client, base::Executor& executor, base::RandomSource& random,
                       std::string component, std::string host)
        : executor_(executor),
          recorder_(
              std::make_shared<Recorder>(client, executor, random, std::move(component), std::move(host))) {}

    void record_part(Value about, std::string field_path, EventType type, std::string_view reason,
                     std::string message) override {
        Said said;
        said.about = Reference(about);
        said.about.field_path = std::move(field_path);
        said.type = type;
        said.reason = reason;
        said.message = std::move(message);
        push(std::move(said));
    }

    void record_action(Value about, Value related, EventType type, std::string_view reason,
                       std::string_view action, std::string message) override {
        Said said;
        said.about = Reference(about);
        if (related.is_set()) said.related = Reference(related);
        said.type = type;
        said.reason = reason;
        said.action = action;
        said.message = std::move(message);
        said.is_action = true;
        push(std::move(said));
    }

    Task<void> flush() override {
        const auto recorder = recorder_;
        while (recorder->is_draining) {
            const base::Completion<bool> ended;
            recorder->waiting_for_end.push_back(ended);
            co_await ended;
        }
    }

  private:
    void push(Said said) {
        recorder_->push(std::move(said));
        if (std::exchange(recorder_->is_draining, true)) return;
        // Not at once: the caller is in the middle of something.
        executor_.post(
            [recorder = recorder_, &executor = executor_] { base::spawn(executor, drain(recorder)); });
    }
    static Task<void> drain(std::shared_ptr<Recorder> recorder) {
        auto draining = recorder->drain();
        co_await draining;
        recorder->is_draining = false;
        for (const auto& waiter : std::exchange(recorder->waiting_for_end, {})) waiter.complete(true);
    }

    base::Executor& executor_;
    std::shared_ptr<Recorder> recorder_;
};

}  // namespace

std::unique_ptr<EventRecorder> EventRecorder::make(Client& client, base::Executor& executor,
                                                   base::RandomSource& random, std::string component,
                                                   std::string host) {
    return std::make_unique<BackgroundRecorder>(client, executor, random, std::move(component),
                                                std::move(host));
}

}  // namespace keelson::client
