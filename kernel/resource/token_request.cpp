#include "kernel/resource/token_request.h"

#include <algorithm>

#include "kernel/object/conform.h"
#include "kernel/object/field_errors.h"
#include "kernel/object/json.h"
#include "kernel/object/managed_fields.h"
#include "kernel/object/time_format.h"
#include "kernel/object/validation/validation.h"
#include "kernel/resource/admission/admission.h"
#include "kernel/resource/decode_body.h"
#include "kernel/resource/errors.h"

namespace keelson::resource {
namespace {

using base::Result;
using base::Status;
using base::Task;
using object::Arena;
using object::Value;

// What admission writes into the volumes that it adds, and only it: an hour and seven seconds.
constexpr std::int64_t kInjectedExpirationSeconds = 3607;
constexpr std::int64_t kExtendedExpirationSeconds = 365 * 24 * 3600;

Result<void> check_names(const Call& call, Value request) {
    std::string_view space = request["metadata"]["namespace"].as_string();
    if (!space.empty() && space != call.namespace_name)
        return bad_request(
            "the namespace of the provided object does not match the namespace sent on the request");
    std::string_view name = request["metadata"]["name"].as_string();
    if (name.empty() || name == call.name) return base::ok();
    object::FieldErrors errors;
    object::FieldPath metadata("metadata");
    errors.invalid(metadata.child("name"), name, "must match the service account name if specified");
    return object::invalid_status(call.subresource->group, call.subresource->kind, call.name, errors);
}

Result<void> check_request(const Call& call, Value request, Arena& arena) {
    object::Resource described = *call.resource;
    described.type = call.subresource->type;
    object::FieldErrors errors = object::validate_create(described, request, arena);
    if (errors.empty()) return base::ok();
    return object::invalid_status(call.subresource->group, call.subresource->kind, "", errors);
}

// Name, namespace, time and audiences of the answer; what the caller says of the status is dropped.
void complete_request(const Verbs& verbs, const TokenSettings& settings, const Call& call, Value request,
                      Arena& arena) {
    Value metadata = request.child_map(arena, "metadata");
    metadata.set(arena, "name", Value::string(arena, call.name));
    metadata.set(arena, "namespace", Value::string(arena, call.namespace_name));
    metadata.set(arena, "creationTimestamp", Value::string(arena, verbs.now()));
    request.erase("status");
    Value spec = request.child_map(arena, "spec");
    if (!spec["audiences"].empty()) return;
    Value audiences = Value::list(arena);
    for (const std::string& audience : settings.audiences)
        audiences.push_back(arena, Value::string(arena, audience));
    spec.set(arena, "audiences", audiences);
}

void own_fields(const Verbs& verbs, const WriteOptions& options, const Call& call, Value request,
                Arena& arena) {
    object::FieldManager manager{
        options.field_manager.empty() ? "unknown" : std::string_view(options.field_manager),
        arena.copy(group_version(call.subresource->group, call.subresource->version)), call.subresource->name,
        arena.copy(verbs.now())};
    constexpr std::string_view kStatus[] = {"status"};
    object::track_update(*call.subresource->type, Value(), request, manager, kStatus, arena);
}

struct Reference {
    std::string kind;
    std::string group;
    std::string version;
    std::string name;
    std::string uid;
};

Reference reference_of(Value value) {
    std::string_view api_version = value["apiVersion"].as_string();
    std::size_t slash = api_version.find('/');
    bool core = slash == std::string_view::npos;
    return {.kind = value["kind"].to_string(),
            .group = std::string(core ? std::string_view() : api_version.substr(0, slash)),
            .version = std::string(core ? api_version : api_version.substr(slash + 1)),
            .name = value["name"].to_string(),
            .uid = value["uid"].to_string()};
}

Result<Value> existing(const Verbs& verbs, std::string_view resource, std::string_view space,
                       std::string_view name, Arena& arena) {
    KEELSON_TRY(Value found, verbs.lookup().get("", resource, space, name, arena));
    if (found.is_absent()) return not_found(*object::find_resource("", "v1", resource), name);
    return found;
}

// The node's name goes into the token even when there is no such Node object: it still says where the pod is.
Result<void> add_node(const Verbs& verbs, Value pod, access::TokenOrder& order, Arena& arena) {
    std::string name = pod["spec"]["nodeName"].to_string();
    if (name.empty()) return base::ok();
    KEELSON_TRY(Value node, verbs.lookup().get("", "nodes", "", name, arena));
    order.node = {std::move(name), node["metadata"]["uid"].to_string()};
    return base::ok();
}

Result<void> bind_pod(const Verbs& verbs, const Call& call, Value pod, access::TokenOrder& order,
                      Arena& arena) {
    if (pod["spec"]["serviceAccountName"].as_string() != call.name)
        return bad_request("cannot bind token for serviceaccount " + object::go_quoted(call.name) +
                           " to pod running with different serviceaccount name.");
    return add_node(verbs, pod, order, arena);
}

// The object must be there, and be the one that the reference means.
Result<void> bind_object(const Verbs& verbs, const Call& call, const Reference& reference,
                         access::TokenOrder& order, Arena& arena) {
    struct Bindable {
        std::string_view kind;
        std::string_view resource;
        bool namespaced;
    };
    static constexpr Bindable kBindable[] = {
        {"Pod", "pods", true}, {"Secret", "secrets", true}, {"Node", "nodes", false}};
    const auto* bindable = std::ranges::find(kBindable, std::string_view(reference.kind), &Bindable::kind);
    if (bindable == std::end(kBindable) || !reference.group.empty())
        return bad_request("cannot bind token to object of type " + reference.group + "/" +
                           reference.version + ", Kind=" + reference.kind);
    std::string_view space =
        bindable->namespaced ? std::string_view(call.namespace_name) : std::string_view();
    KEELSON_TRY(Value bound, existing(verbs, bindable->resource, space, reference.name, arena));
    if (reference.kind == "Pod") KEELSON_TRY_VOID(bind_pod(verbs, call, bound, order, arena));
    std::string uid = bound["metadata"]["uid"].to_string();
    if (!reference.uid.empty() && reference.uid != uid)
        return conflict("", reference.kind, reference.name,
                        "the UID in the bound object reference (" + reference.uid +
                            ") does not match the UID in record. The object might have been deleted and "
                            "then recreated");
    order.bound_object = {reference.kind, reference.name, std::move(uid)};
    return base::ok();
}

bool is_for_server(const TokenSettings& settings, const std::vector<std::string>& audiences) {
    return std::ranges::all_of(audiences, [&](const std::string& audience) {
        return std::ranges::find(settings.audiences, audience) != settings.audiences.end();
    });
}

Result<access::TokenOrder> order_of(const Verbs& verbs, const TokenSettings& settings, const Call& call,
                                    Value account, Value request, Arena& arena) {
    access::TokenOrder order;
    order.namespace_name = call.namespace_name;
    order.service_account = {call.name, account["metadata"]["uid"].to_string()};
    for (Value audience : request["spec"]["audiences"].items())
        order.audiences.push_back(audience.to_string());
    order.expiration_seconds = request["spec"]["expirationSeconds"].as_integer();
    if (Value reference = request["spec"]["boundObjectRef"]; reference.is_set())
        KEELSON_TRY_VOID(bind_object(verbs, call, reference_of(reference), order, arena));
    bool is_pods = order.bound_object && order.bound_object->kind == "Pod";
    if (settings.extend_expiration && is_pods && order.expiration_seconds == kInjectedExpirationSeconds &&
        is_for_server(settings, order.audiences)) {
        // Clients that do not renew go on for a year, and are counted after the time that they were given.
        order.warn_after_seconds = order.expiration_seconds;
        order.expiration_seconds = kExtendedExpirationSeconds;
    }
    return order;
}

// The caller is told what it asked for, or less when the issuer gives less.
Result<void> fill_status(Call& call, Value request, const access::IssuedToken& issued, std::int64_t now,
                         Arena& arena) {
    auto expires = object::parse_time(issued.expiration_timestamp);
    if (!expires) return internal_error("failed to generate token: " + expires.error().message());
    std::int64_t wanted = request["spec"]["expirationSeconds"].as_integer();
    std::int64_t given = expires->seconds - now;
    // The clocks of two rooms may tick between two looks at them.
    if (given + 2 < wanted) {
        call.warnings.push_back("requested expiration of " + std::to_string(wanted) +
                                " seconds shortened to " + std::to_string(given) + " seconds");
        request["spec"].set(arena, "expirationSeconds", Value::integer(given));
        wanted = given;
    }
    Value status = Value::map(arena);
    status.set(arena, "token", Value::string(arena, issued.token));
    status.set(arena, "expirationTimestamp", Value::string(arena, object::format_time({now + wanted, 0})));
    request.set(arena, "status", status);
    return base::ok();
}

Status issue_failure(const Status& failure) {
    bool may_retry =
        failure.reason() == base::Reason::service_unavailable || failure.reason() == base::Reason::timeout;
    if (may_retry) return not_available("failed to generate token: " + failure.message());
    return internal_error("failed to generate token: " + failure.message());
}

}  // namespace

Task<Result<ObjectAnswer>> create_token(Verbs& verbs, access::TokenIssuer& issuer,
                                        const TokenSettings& settings, Call& call, const Body& body,
                                        const WriteOptions& options, Arena& arena) {
    KEELSON_CO_TRY(Value request,
                   decode_body(expected_kind(call), body, options.field_validation, call, arena));
    KEELSON_CO_TRY_VOID(check_names(call, request));
    own_fields(verbs, options, call, request, arena);
    KEELSON_CO_TRY(Value account,
                   existing(verbs, call.resource->name, call.namespace_name, call.name, arena));
    // Taken before the token is made: the token never ends before the caller thinks it does.
    std::int64_t now =
        std::chrono::floor<std::chrono::seconds>(verbs.clock().wall_now().time_since_epoch()).count();
    complete_request(verbs, settings, call, request, arena);
    KEELSON_CO_TRY_VOID(check_request(call, request, arena));
    KEELSON_CO_TRY_VOID(admission::node_token_restriction(call, request, verbs.lookup(), arena));
    KEELSON_CO_TRY(access::TokenOrder order, order_of(verbs, settings, call, account, request, arena));
    auto issued = co_await issuer.issue(std::move(order));
    if (!issued) co_return issue_failure(issued.error());
    KEELSON_CO_TRY_VOID(fill_status(call, request, *issued, now, arena));
    Value answer = object::canonical(*call.subresource->type, request, arena);
    co_return ObjectAnswer{201, call.subresource->type, object::to_json(answer)};
}

}  // namespace keelson::resource
