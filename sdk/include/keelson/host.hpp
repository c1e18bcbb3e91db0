// What the host does for a plugin, as methods. A Host is a small handle: copy it. It may be used from any
// thread, from the constructor of the plugin to the end of its destructor. What this host does not have does
// nothing.
#ifndef KEELSON_HOST_HPP
#define KEELSON_HOST_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "keelson/call.hpp"
#include "keelson/document.hpp"
#include "keelson/error.hpp"
#include "keelson/host.h"

namespace keelson {

enum class LogLevel : std::int32_t {
    debug = KEELSON_LOG_DEBUG,
    info = KEELSON_LOG_INFO,
    warn = KEELSON_LOG_WARN,
    error = KEELSON_LOG_ERROR,
};

struct ObjectReference {
    std::string api_version;
    std::string kind;
    std::string namespace_;
    std::string name;
    std::string uid;
    KEELSON_FIELDS(field.required("apiVersion", self.api_version)
                       .required("kind", self.kind)
                       .optional("namespace", self.namespace_)
                       .required("name", self.name)
                       .optional("uid", self.uid))
};

// A Kubernetes Event about an object.
struct Event {
    ObjectReference regarding;
    std::string type = "Normal";  // or "Warning"
    std::string reason;
    std::string action;
    std::string message;
    KEELSON_FIELDS(field.required("regarding", self.regarding)
                       .required("type", self.type)
                       .required("reason", self.reason)
                       .required("action", self.action)
                       .required("message", self.message))
};

namespace objects {

struct Get {
    std::string api_version;
    std::string resource;
    std::string namespace_;
    std::string name;
    KEELSON_FIELDS(field.required("apiVersion", self.api_version)
                       .required("resource", self.resource)
                       .optional("namespace", self.namespace_)
                       .required("name", self.name))
};

struct List {
    std::string api_version;
    std::string resource;
    std::string namespace_;
    std::string label_selector;
    std::string field_selector;
    KEELSON_FIELDS(field.required("apiVersion", self.api_version)
                       .required("resource", self.resource)
                       .optional("namespace", self.namespace_)
                       .optional("labelSelector", self.label_selector)
                       .optional("fieldSelector", self.field_selector))
};

struct Listed {
    std::vector<Json> items;
    std::string resource_version;
    KEELSON_FIELDS(field.required("items", self.items).required("resourceVersion", self.resource_version))
};

struct Watch {
    std::string api_version;
    std::string resource;
    std::string namespace_;
    std::string label_selector;
    std::string field_selector;
    std::string resource_version;
    KEELSON_FIELDS(field.required("apiVersion", self.api_version)
                       .required("resource", self.resource)
                       .optional("namespace", self.namespace_)
                       .optional("labelSelector", self.label_selector)
                       .optional("fieldSelector", self.field_selector)
                       .required("resourceVersion", self.resource_version))
};

struct Change {
    std::string type;  // "ADDED", "MODIFIED", "DELETED"
    Json object;
    KEELSON_FIELDS(field.required("type", self.type).required("object", self.object))
};

struct Changes {
    std::vector<Change> events;
    std::string resource_version;
    KEELSON_FIELDS(field.required("events", self.events).required("resourceVersion", self.resource_version))
};

}  // namespace objects

namespace detail {

constexpr std::size_t maximum_reply_bytes = std::size_t(16) << 20;

// Gathers an answer that comes in pieces. What the host calls must not throw: problems wait for text().
class Answer {
  public:
    Answer() : reply_{sizeof(keelson_reply), this, &append, &refuse_descriptor} {}
    Answer(const Answer&) = delete;
    Answer& operator=(const Answer&) = delete;

    [[nodiscard]] keelson_reply* reply() { return &reply_; }
    [[nodiscard]] const std::string& text() const {
        if (failed_) throw Error(Code::exhausted, "the host's answer is too large");
        return text_;
    }

  private:
    static void append(void* context, const char* data, std::size_t size) noexcept {
        Answer& self = *static_cast<Answer*>(context);
        self.failed_ = self.failed_ || size > maximum_reply_bytes - self.text_.size();
        if (self.failed_) return;
        try {
            self.text_.append(data, size);
        } catch (...) {
            self.failed_ = true;
        }
    }
    static std::int32_t refuse_descriptor(void* /*context*/, int /*descriptor*/) noexcept {
        return KEELSON_EXHAUSTED;
    }

    std::string text_;
    bool failed_ = false;
    keelson_reply reply_;
};

inline keelson_bytes bytes_of(std::string_view text) {
    return {text.data(), text.size()};
}

inline Code code_of(std::int32_t status) {
    return status > KEELSON_OK && status <= KEELSON_FORBIDDEN ? Code(status) : Code::internal;
}

// An error document need not be one: the message is then all that came.
inline Error error_of(std::int32_t status, const std::string& text) {
    const Json document = Json::parse(text, nullptr, false);
    if (!document.is_object()) return {code_of(status), text};
    const auto member = [&](const char* name) {
        const auto found = document.find(name);
        return found != document.end() && found->is_string() ? found->get<std::string>() : std::string();
    };
    return {code_of(status), member("message"), member("field")};
}

}  // namespace detail

// Ends calls that other threads wait in: give call() to them, and cancel() when the plugin stops.
class Cancellation {
  public:
    Cancellation() = default;
    Cancellation(const Cancellation&) = delete;
    Cancellation& operator=(const Cancellation&) = delete;

    void cancel() { __atomic_store_n(&flag_, 1, __ATOMIC_RELAXED); }
    [[nodiscard]] bool is_cancelled() const { return __atomic_load_n(&flag_, __ATOMIC_RELAXED) != 0; }
    // Without a deadline. This object must outlive the call.
    [[nodiscard]] Call call() const {
        const keelson_call table{sizeof(keelson_call), 0, nullptr, 0, &flag_, ""};
        return {&table, nullptr};
    }

  private:
    std::int32_t flag_ = 0;
};

// Objects of the Kubernetes API. Failures throw Error with the host's code: Code::forbidden for types that
// the manifest does not ask for or the operator did not accept.
class Objects {
  public:
    Objects(const keelson_host_objects& table, void* context) : table_(table), context_(context) {}

    [[nodiscard]] Json get(const objects::Get& request, const Call& call = {}) const {
        return perform(
            slot(KEELSON_HAS_FIELD(&table_, keelson_host_objects, get), &keelson_host_objects::get), request,
            call);
    }
    [[nodiscard]] objects::Listed list(const objects::List& request, const Call& call = {}) const {
        return read_as<objects::Listed>(
            perform(slot(KEELSON_HAS_FIELD(&table_, keelson_host_objects, list), &keelson_host_objects::list),
                    request, call));
    }
    // Waits for changes until the deadline of the call. Code::conflict: that version is too old, list again.
    [[nodiscard]] objects::Changes watch(const objects::Watch& request, const Call& call) const {
        return read_as<objects::Changes>(perform(
            slot(KEELSON_HAS_FIELD(&table_, keelson_host_objects, watch), &keelson_host_objects::watch),
            request, call));
    }

    // Keeps a view of a collection until it is cancelled: everything there is to `present`, at first and
    // whenever the changes since the last one are no longer known; then each change to `changed`. What may be
    // tried again is tried again, `pause` apart; other failures are thrown. For a thread of the plugin's own.
    template <typename Present, typename Changed>
    void follow(const objects::List& what, const Cancellation& cancellation, const Present& present,
                const Changed& changed,
                std::chrono::milliseconds pause = std::chrono::milliseconds(500)) const {
        std::string version;  // empty: list first
        while (!cancellation.is_cancelled()) {
            try {
                if (version.empty()) {
                    const objects::Listed listed = list(what, cancellation.call());
                    present(listed);
                    version = listed.resource_version;
                }
                const objects::Changes changes = watch({what.api_version, what.resource, what.namespace_,
                                                        what.label_selector, what.field_selector, version},
                                                       cancellation.call());
                for (const objects::Change& change : changes.events) changed(change);
                version = changes.resource_version;
            } catch (const Error& error) {
                if (error.code() == Code::conflict) {
                    version.clear();
                } else if (error.code() != Code::unavailable && error.code() != Code::cancelled) {
                    throw;
                }
                if (!cancellation.is_cancelled()) std::this_thread::sleep_for(pause);
            }
        }
    }

  private:
    [[nodiscard]] keelson_method slot(bool exists, keelson_method keelson_host_objects::*member) const {
        if (!exists || table_.*member == nullptr)
            throw Error(Code::unsupported, "this host cannot do that with objects");
        return table_.*member;
    }
    template <typename Request>
    [[nodiscard]] Json perform(keelson_method method, const Request& request, const Call& call) const {
        const std::string text = detail::write(request).dump();
        const keelson_call circumstances = call.table();
        detail::Answer answer;
        const std::int32_t status = method(context_, &circumstances, detail::bytes_of(text), answer.reply());
        if (status != KEELSON_OK) throw detail::error_of(status, answer.text());
        return parse(detail::bytes_of(answer.text()));
    }

    const keelson_host_objects& table_;
    void* context_;
};

#define KEELSON_DETAIL_FIELD(field) \
    &keelson_host::field, offsetof(keelson_host, field) + sizeof(keelson_host::field)

class Host {
  public:
    explicit Host(const keelson_host* table) : table_(table) {}

    void log(LogLevel level, std::string_view text) const {
        if (has(KEELSON_DETAIL_FIELD(log)))
            table_->log(table_->context, std::int32_t(level), detail::bytes_of(text));
    }
    void debug(std::string_view text) const { log(LogLevel::debug, text); }
    void info(std::string_view text) const { log(LogLevel::info, text); }
    void warn(std::string_view text) const { log(LogLevel::warn, text); }
    void error(std::string_view text) const { log(LogLevel::error, text); }

    // name: [a-z0-9_]+, shown as keelson_plugin_<name>.
    void count(const char* name, double value = 1, const Labels& labels = {}) const {
        metric(KEELSON_COUNTER, name, value, labels);
    }
    void gauge(const char* name, double value, const Labels& labels = {}) const {
        metric(KEELSON_GAUGE, name, value, labels);
    }
    // Base units: seconds, bytes.
    void observe(const char* name, double value, const Labels& labels = {}) const {
        metric(KEELSON_HISTOGRAM, name, value, labels);
    }

    void event(const Event& event) const {
        if (!has(KEELSON_DETAIL_FIELD(event))) return;
        const std::string text = dump(detail::write(event));
        table_->event(table_->context, detail::bytes_of(text));
    }

    // "pod/<uid>", "volume/<name>", "" for everything that this plugin serves.
    void request_reconcile(std::string_view key) const {
        if (has(KEELSON_DETAIL_FIELD(request_reconcile)))
            table_->request_reconcile(table_->context, detail::bytes_of(key));
    }

    // A directory of the plugin's own that stays from start to start and from version to version.
    [[nodiscard]] std::string state_directory() const {
        if (!has(KEELSON_DETAIL_FIELD(state_directory)))
            throw Error(Code::unsupported, "this host gives no state directory");
        return table_->state_directory;
    }

    // The name in the API of the node that this machine is or would be; empty when the host knows none.
    [[nodiscard]] std::string node_name() const {
        const bool is_known = has(KEELSON_DETAIL_FIELD(node_name)) && table_->node_name != nullptr;
        return is_known ? table_->node_name : std::string();
    }

    // Virtual in a simulation: use these two rather than the system's clocks.
    [[nodiscard]] std::chrono::microseconds monotonic() const {
        if (has(KEELSON_DETAIL_FIELD(monotonic_us)))
            return std::chrono::microseconds(table_->monotonic_us(table_->context));
        return since_epoch(std::chrono::steady_clock::now());
    }
    [[nodiscard]] std::chrono::microseconds unix_time() const {
        if (has(KEELSON_DETAIL_FIELD(unix_us)))
            return std::chrono::microseconds(table_->unix_us(table_->context));
        return since_epoch(std::chrono::system_clock::now());
    }

    // A service that not every host has, or null.
    [[nodiscard]] const void* service(const char* id) const {
        return has(KEELSON_DETAIL_FIELD(service)) ? table_->service(table_->context, id) : nullptr;
    }
    [[nodiscard]] std::optional<Objects> objects() const {
        const void* table = service(KEELSON_HOST_OBJECTS);
        if (table == nullptr) return std::nullopt;
        return Objects(*static_cast<const keelson_host_objects*>(table), table_->context);
    }

  private:
    static std::string dump(const Json& json) {
        return json.dump(-1, ' ', false, Json::error_handler_t::replace);
    }
    template <typename Time>
    static std::chrono::microseconds since_epoch(Time time) {
        return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch());
    }
    // Whether the host's table reaches to the end of the field and has something there.
    template <typename Field>
    [[nodiscard]] bool has(Field keelson_host::*field, std::size_t end) const {
        return table_ != nullptr && table_->struct_size >= end && table_->*field != nullptr;
    }
    void metric(std::int32_t kind, const char* name, double value, const Labels& labels) const {
        if (!has(KEELSON_DETAIL_FIELD(metric))) return;
        const std::string text = labels.empty() ? std::string() : dump(labels);
        table_->metric(table_->context, kind, name, value, detail::bytes_of(text));
    }

    const keelson_host* table_;
};

#undef KEELSON_DETAIL_FIELD

}  // namespace keelson

#endif
