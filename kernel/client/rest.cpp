#include "kernel/client/rest.h"

#include "kernel/object/json.h"

namespace keelson::client {
namespace {

using base::Reason;
using base::Result;
using base::Status;
using object::Arena;
using object::Document;
using object::Value;

std::string escaped(std::string_view text) {
    constexpr std::string_view kPlain = "-._~";
    constexpr char kDigits[] = "0123456789ABCDEF";
    std::string out;
    for (char c : text) {
        auto byte = static_cast<unsigned char>(c);
        bool letter =
            (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9');
        if (letter || kPlain.find(c) != std::string_view::npos) {
            out += c;
        } else {
            out += '%';
            out += kDigits[byte >> 4];
            out += kDigits[byte & 15];
        }
    }
    return out;
}

class Query {
  public:
    void add(std::string_view name, std::string_view value) {
        if (value.empty()) return;
        text_ += text_.empty() ? '?' : '&';
        text_ += name;
        text_ += '=';
        text_ += escaped(value);
    }
    void add(std::string_view name, bool value) {
        if (value) add(name, std::string_view("true"));
    }
    std::string take() { return std::move(text_); }

  private:
    std::string text_;
};

Reason reason_of(std::string_view text, int code) {
    if (!text.empty())
        for (int i = 0; i <= static_cast<int>(Reason::store_read_error); ++i)
            if (base::reason_text(static_cast<Reason>(i)) == text) return static_cast<Reason>(i);
    switch (code) {
        case 401:
            return Reason::unauthorized;
        case 403:
            return Reason::forbidden;
        case 404:
            return Reason::not_found;
        case 409:
            return Reason::conflict;
        case 410:
            return Reason::expired;
        case 429:
            return Reason::too_many_requests;
        case 503:
            return Reason::service_unavailable;
        case 504:
            return Reason::timeout;
        default:
            return code < 500 ? Reason::bad_request : Reason::internal_error;
    }
}

Status status_of(Value status, int code) {
    if (code == 0) code = static_cast<int>(status["code"].as_integer());
    Status result(reason_of(status["reason"].as_string(), code), status["message"].to_string());
    if (code != result.code() && code >= 400) result.with_code(code);
    Value given = status["details"];
    if (!given.is_map()) return result;
    base::StatusDetails details{given["name"].to_string(),
                                given["group"].to_string(),
                                given["kind"].to_string(),
                                given["uid"].to_string(),
                                {},
                                0};
    details.retry_after_seconds = static_cast<int>(given["retryAfterSeconds"].as_integer());
    for (Value cause : given["causes"].items())
        details.causes.push_back(
            {cause["reason"].to_string(), cause["message"].to_string(), cause["field"].to_string()});
    return result.with_details(std::move(details));
}

Status failure_of(int code, std::string_view body) {
    Arena arena;
    auto parsed = object::parse_json(body, arena);
    if (parsed && (*parsed)["kind"].as_string() == "Status") return status_of(*parsed, code);
    constexpr std::size_t kQuoted = 200;
    Status status(reason_of({}, code), "the server answered " + std::to_string(code) + ": " +
                                           std::string(body.substr(0, kQuoted)));
    return status.with_code(code);
}

Status not_understood(std::string_view what, const Status& why) {
    return Status(Reason::internal_error,
                  "the server's " + std::string(what) + " cannot be read: " + why.message());
}

}  // namespace

std::string path_of(const Address& address) {
    std::string path = address.group.empty() ? "/api/" : "/apis/" + escaped(address.group) + "/";
    path += escaped(address.version);
    if (!address.namespace_name.empty()) path += "/namespaces/" + escaped(address.namespace_name);
    path += "/" + escaped(address.resource);
    if (!address.name.empty()) path += "/" + escaped(address.name);
    if (!address.subresource.empty()) path += "/" + escaped(address.subresource);
    return path;
}

std::string query_of(const ListOptions& options, bool watch) {
    Query query;
    query.add("watch", watch);
    query.add("labelSelector", options.label_selector);
    query.add("fieldSelector", options.field_selector);
    query.add("resourceVersion", options.resource_version);
    query.add("resourceVersionMatch", options.resource_version_match);
    query.add("continue", options.continue_token);
    if (options.limit > 0) query.add("limit", std::to_string(options.limit));
    if (options.timeout_seconds) query.add("timeoutSeconds", std::to_string(*options.timeout_seconds));
    query.add("allowWatchBookmarks", options.allow_watch_bookmarks);
    if (options.send_initial_events)
        query.add("sendInitialEvents", std::string_view(*options.send_initial_events ? "true" : "false"));
    return query.take();
}

std::string query_of(const WriteOptions& options, bool apply) {
    Query query;
    if (options.dry_run) query.add("dryRun", std::string_view("All"));
    query.add("fieldManager", options.field_manager);
    if (apply) query.add("force", options.force);
    switch (options.field_validation) {
        case resource::FieldValidation::ignore:
            query.add("fieldValidation", std::string_view("Ignore"));
            break;
        case resource::FieldValidation::strict:
            query.add("fieldValidation", std::string_view("Strict"));
            break;
        case resource::FieldValidation::warn:
            break;  // what the server does by itself
    }
    return query.take();
}

std::string_view content_type_of(PatchType type) {
    switch (type) {
        case PatchType::json:
            return "application/json-patch+json";
        case PatchType::merge:
            return "application/merge-patch+json";
        case PatchType::strategic:
            return "application/strategic-merge-patch+json";
        case PatchType::apply:
            break;
    }
    return "application/apply-patch+yaml";
}

std::string body_of(const DeleteOptions& options) {
    Arena arena;
    Value body = Value::map(arena);
    body.set(arena, "kind", Value::reference("DeleteOptions"));
    body.set(arena, "apiVersion", Value::reference("v1"));
    if (options.grace_period_seconds)
        body.set(arena, "gracePeriodSeconds", Value::integer(*options.grace_period_seconds));
    if (options.propagation_policy)
        body.set(arena, "propagationPolicy", Value::reference(*options.propagation_policy));
    if (options.orphan_dependents)
        body.set(arena, "orphanDependents", Value::boolean(*options.orphan_dependents));
    if (options.dry_run) {
        Value list = Value::list(arena);
        list.push_back(arena, Value::reference("All"));
        body.set(arena, "dryRun", list);
    }
    const resource::Preconditions& wanted = options.preconditions;
    if (wanted.uid || wanted.resource_version) {
        Value preconditions = body.child_map(arena, "preconditions");
        if (wanted.uid) preconditions.set(arena, "uid", Value::reference(*wanted.uid));
        if (wanted.resource_version)
            preconditions.set(arena, "resourceVersion", Value::reference(*wanted.resource_version));
    }
    return object::to_json(body);
}

Result<Document> object_answer(int code, std::string_view body) {
    if (code >= 400) return failure_of(code, body);
    Document document;
    auto root = object::parse_json_copy(body, document.arena);
    if (!root) return not_understood("answer", root.error());
    document.root = *root;
    return document;
}

Result<Page> page_answer(int code, std::string_view body) {
    KEELSON_TRY(Document list, object_answer(code, body));
    Page page;
    page.arena = std::move(list.arena);
    for (Value item : list.root["items"].items()) {
        item.erase("kind");
        item.erase("apiVersion");
        page.items.push_back(item);
    }
    Value metadata = list.root["metadata"];
    page.resource_version = metadata["resourceVersion"].to_string();
    page.continue_token = metadata["continue"].to_string();
    if (metadata["remainingItemCount"].is_integer())
        page.remaining = metadata["remainingItemCount"].as_integer();
    return page;
}

Result<WatchEvent> event_of(std::string_view line) {
    WatchEvent event;
    auto root = object::parse_json_copy(line, event.object.arena);
    if (!root) return not_understood("watch event", root.error());
    std::string_view type = (*root)["type"].as_string();
    event.object.root = (*root)["object"];
    if (type == "ERROR") return status_of(event.object.root, 0);
    using Type = WatchEvent::Type;
    event.type = type == "ADDED"      ? Type::added
                 : type == "MODIFIED" ? Type::modified
                 : type == "DELETED"  ? Type::removed
                                      : Type::bookmark;
    event.resource_version = event.object.root["metadata"]["resourceVersion"].to_string();
    return event;
}

}  // namespace keelson::client
