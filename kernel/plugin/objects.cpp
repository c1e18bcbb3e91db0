#include "kernel/plugin/objects.h"

#include <keelson/entry.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "kernel/plugin/messages.h"

namespace keelson::plugin {
namespace {

using base::Reason;
using base::Result;
using base::Status;
using base::Task;
using nlohmann::json;

constexpr std::size_t kMostCalls = 32;
constexpr std::size_t kRequestLimitBytes = 64 << 10;
// Below what a reply may have, with room for what is around the objects.
constexpr std::size_t kObjectsLimitBytes = std::size_t{15} << 20;
constexpr std::array<std::string_view, kObjectVerbs> kVerbs = {"get", "list", "watch"};

std::string joined(const std::vector<std::string>& texts) {
    std::string all;
    for (const std::string& text : texts) all += (all.empty() ? "" : ", ") + text;
    return all;
}

bool covers(const std::vector<ObjectAccess>& accesses, const std::string& api_version,
            const std::string& resource, std::string_view verb) {
    return std::ranges::any_of(accesses, [&](const ObjectAccess& access) {
        return access.api_version == api_version && access.resource == resource &&
               std::ranges::find(access.verbs, verb) != access.verbs.end();
    });
}

Result<std::string> text_member(const json& document, const char* name, bool is_required) {
    const auto found = document.find(name);
    if (found == document.end() || found->is_null()) {
        if (!is_required) return std::string();
        return Status(Reason::bad_request, std::string("'") + name + "' is required");
    }
    if (!found->is_string()) return Status(Reason::bad_request, std::string("'") + name + "' must be a text");
    auto text = found->get<std::string>();
    if (is_required && text.empty())
        return Status(Reason::bad_request, std::string("'") + name + "' must not be empty");
    return text;
}

std::string quoted(const std::string& text) {
    return json(text).dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string document_of(const ObjectList& list) {
    std::string text = R"({"items":[)";
    for (std::size_t i = 0; i < list.items.size(); ++i) text += (i == 0 ? "" : ",") + list.items[i];
    return text + R"(],"resourceVersion":)" + quoted(list.resource_version) + "}";
}

std::string document_of(const ObjectChanges& changes) {
    std::string text = R"({"events":[)";
    for (std::size_t i = 0; i < changes.changes.size(); ++i) {
        const ObjectChange& change = changes.changes[i];
        text += i == 0 ? "" : ",";
        text += R"({"type":)" + quoted(change.type) + R"(,"object":)" + change.object + "}";
    }
    return text + R"(],"resourceVersion":)" + quoted(changes.resource_version) + "}";
}

Result<ObjectAccess> access_of(const json& item) {
    ObjectAccess access;
    if (!item.is_object())
        return Status(Reason::bad_request, R"(each object type must be {"apiVersion", "resource", "verbs"})");
    for (const auto& [name, value] : item.items())
        if (name != "apiVersion" && name != "resource" && name != "verbs")
            return Status(Reason::bad_request,
                          "'" + name + "' is not known here (known: apiVersion, resource, verbs)");
    KEELSON_TRY(access.api_version, text_member(item, "apiVersion", true));
    KEELSON_TRY(access.resource, text_member(item, "resource", true));
    const auto verbs = item.find("verbs");
    if (verbs == item.end()) {
        access.verbs.assign(kVerbs.begin(), kVerbs.end());
        return access;
    }
    if (!verbs->is_array() || verbs->empty())
        return Status(Reason::bad_request, "'verbs' must be a list of get, list and watch");
    for (const json& verb : *verbs) {
        if (!verb.is_string() || std::ranges::find(kVerbs, verb.get<std::string>()) == kVerbs.end())
            return Status(Reason::bad_request, "'verbs' must be a list of get, list and watch");
        access.verbs.push_back(verb.get<std::string>());
    }
    return access;
}

}  // namespace

void StopSignal::arm(std::function<void()> callback) {
    bool at_once = false;
    {
        const std::lock_guard lock(mutex_);
        at_once = stopped_;
        if (!stopped_) callback_ = callback;
    }
    if (at_once && callback) callback();
}

void StopSignal::stop() {
    std::function<void()> callback;
    {
        const std::lock_guard lock(mutex_);
        stopped_ = true;
        callback = std::exchange(callback_, nullptr);
    }
    if (callback) callback();
}

bool StopSignal::is_stopped() const {
    const std::lock_guard lock(mutex_);
    return stopped_;
}

Result<std::vector<ObjectAccess>> parse_object_access(std::string_view text) {
    const json document = json::parse(text, nullptr, false);
    const bool is_wrapped = document.is_object() && document.size() == 1 && document.contains("objects");
    const json& list = is_wrapped ? document["objects"] : document;
    if (!list.is_array())
        return Status(Reason::bad_request,
                      R"(must be {"objects": [{"apiVersion": "v1", "resource": "services"}, ...]})");
    std::vector<ObjectAccess> accesses;
    for (const json& item : list) {
        KEELSON_TRY(ObjectAccess access, access_of(item));
        accesses.push_back(std::move(access));
    }
    return accesses;
}

std::string access_text(const ObjectAccess& access) {
    return access.api_version + " " + access.resource + " (" + joined(access.verbs) + ")";
}

std::vector<ObjectAccess> not_accepted(const std::vector<ObjectAccess>& asked,
                                       const std::vector<ObjectAccess>& accepted) {
    std::vector<ObjectAccess> missing;
    for (const ObjectAccess& access : asked) {
        ObjectAccess rest = access;
        std::erase_if(rest.verbs, [&](const std::string& verb) {
            return covers(accepted, access.api_version, access.resource, verb);
        });
        if (!rest.verbs.empty()) missing.push_back(std::move(rest));
    }
    return missing;
}

// --- the broker ---

struct ObjectsBroker::Call {
    std::uint64_t id = 0;
    ObjectVerb verb = ObjectVerb::get;
    ObjectQuery query;
    base::MonotonicTime deadline{};
    Done done;
    std::shared_ptr<StopSignal> stop = std::make_shared<StopSignal>();
};

ObjectsBroker::ObjectsBroker(ObjectsSource& source, base::Executor& executor, std::string plugin,
                             std::vector<ObjectAccess> asked, std::vector<ObjectAccess> accepted)
    : source_(source),
      executor_(executor),
      plugin_(std::move(plugin)),
      asked_(std::move(asked)),
      accepted_(std::move(accepted)) {}

// Called with mutex_ held. The message is for whoever reads the plugin's log.
Result<void> ObjectsBroker::check_access(const ObjectQuery& query, const std::string& api_version,
                                         ObjectVerb verb) const {
    const std::string what = std::string(verb_text(verb)) + " " + api_version + " " + query.resource;
    if (!covers(asked_, api_version, query.resource, verb_text(verb)))
        return Status(Reason::forbidden, "plugin " + plugin_ + " may not " + what +
                                             ": its manifest does not ask for it under 'objects'");
    if (!covers(accepted_, api_version, query.resource, verb_text(verb)))
        return Status(Reason::forbidden, "plugin " + plugin_ + " may not " + what +
                                             ": the operator has not accepted it (plugins.entries[].objects, "
                                             "or keelctl plugin accept " +
                                             plugin_ + ")");
    return base::ok();
}

Result<ObjectQuery> ObjectsBroker::check(const ObjectsRequest& request) const {
    if (request.body.size() > kRequestLimitBytes)
        return Status(Reason::bad_request, "the request is larger than 64 KiB");
    const json document = json::parse(request.body, nullptr, false);
    if (!document.is_object()) return Status(Reason::bad_request, "the request is not a JSON object");
    ObjectQuery query;
    query.plugin = plugin_;
    query.limit_bytes = kObjectsLimitBytes;
    KEELSON_TRY(const std::string api_version, text_member(document, "apiVersion", true));
    KEELSON_TRY(query.resource, text_member(document, "resource", true));
    KEELSON_TRY_VOID(check_access(query, api_version, request.verb));
    const std::size_t slash = api_version.find('/');
    if (slash != std::string::npos) query.group = api_version.substr(0, slash);
    query.version = slash == std::string::npos ? api_version : api_version.substr(slash + 1);
    KEELSON_TRY(query.namespace_name, text_member(document, "namespace", false));
    if (request.verb == ObjectVerb::get) {
        KEELSON_TRY(query.name, text_member(document, "name", true));
        return query;
    }
    KEELSON_TRY(query.label_selector, text_member(document, "labelSelector", false));
    KEELSON_TRY(query.field_selector, text_member(document, "fieldSelector", false));
    if (request.verb == ObjectVerb::watch) {
        KEELSON_TRY(query.resource_version, text_member(document, "resourceVersion", true));
    }
    return query;
}

Result<std::shared_ptr<ObjectsBroker::Call>> ObjectsBroker::enter(const ObjectsRequest& request, Done& done) {
    const std::lock_guard lock(mutex_);
    if (closed_) return Status(Reason::service_unavailable, "the plugin is being stopped");
    KEELSON_TRY(ObjectQuery query, check(request));
    if (calls_.size() >= kMostCalls)
        return Status(Reason::request_entity_too_large, "plugin " + plugin_ + " has " +
                                                            std::to_string(kMostCalls) +
                                                            " calls for objects under way already");
    auto call = std::make_shared<Call>();
    call->id = ++next_id_;
    call->verb = request.verb;
    call->query = std::move(query);
    const base::MonotonicTime now = executor_.clock().now();
    call->deadline = now + kObjectsUsualWait;
    if (request.deadline_us > 0)
        call->deadline = std::min<base::MonotonicTime>(
            base::MonotonicTime(std::chrono::microseconds(request.deadline_us)), now + kObjectsLongestWait);
    call->done = std::move(done);
    calls_.emplace(call->id, call);
    return call;
}

std::uint64_t ObjectsBroker::ask(ObjectsRequest request, Done done) {
    auto entered = enter(request, done);
    if (!entered) {
        const Status& why = entered.error();
        done({code_of(why.reason()), error_document(why.message()), {}});
        return 0;
    }
    const std::uint64_t id = (*entered)->id;
    base::spawn(executor_, carry_out(std::move(*entered)));
    return id;
}

Task<void> ObjectsBroker::carry_out(std::shared_ptr<Call> call) {
    auto self = shared_from_this();
    auto timer = executor_.post_at(call->deadline, [stop = call->stop] { stop->stop(); });
    auto making = document_for(call);
    auto document = co_await making;
    timer->cancel();
    leave(*call, document);
}

Task<Result<std::string>> ObjectsBroker::document_for(std::shared_ptr<Call> call) {
    if (call->verb == ObjectVerb::get) {
        auto getting = source_.get(call->query);
        co_return co_await getting;
    }
    if (call->verb == ObjectVerb::list) {
        auto listing = source_.list(call->query);
        auto list = co_await listing;
        if (!list) co_return std::move(list).error();
        co_return document_of(*list);
    }
    auto watching = source_.watch(call->query, call->stop);
    auto changes = co_await watching;
    if (!changes) co_return std::move(changes).error();
    co_return document_of(*changes);
}

void ObjectsBroker::leave(Call& call, const Result<std::string>& document) {
    {
        const std::lock_guard lock(mutex_);
        calls_.erase(call.id);
    }
    if (document)
        call.done({KEELSON_OK, *document, {}});
    else
        call.done({code_of(document.error().reason()), error_document(document.error().message()), {}});
}

void ObjectsBroker::cancel(std::uint64_t id) {
    std::shared_ptr<StopSignal> stop;
    {
        const std::lock_guard lock(mutex_);
        const auto found = calls_.find(id);
        if (found != calls_.end()) stop = found->second->stop;
    }
    if (stop) stop->stop();
}

void ObjectsBroker::accept(std::vector<ObjectAccess> accepted) {
    {
        const std::lock_guard lock(mutex_);
        accepted_ = std::move(accepted);
    }
    stop_all();
}

void ObjectsBroker::close() {
    {
        const std::lock_guard lock(mutex_);
        closed_ = true;
    }
    stop_all();
}

void ObjectsBroker::stop_all() {
    std::vector<std::shared_ptr<StopSignal>> stops;
    {
        const std::lock_guard lock(mutex_);
        for (const auto& [id, call] : calls_) stops.push_back(call->stop);
    }
    for (const auto& stop : stops) stop->stop();
}

}  // namespace keelson::plugin
