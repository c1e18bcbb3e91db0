#include "kernel/api/kubernetes_handler.h"

#include "kernel/api/body.h"
#include "kernel/api/options.h"
#include "kernel/api/representation.h"
#include "kernel/api/streams_handler.h"
#include "kernel/object/conform.h"
#include "kernel/object/json.h"
#include "kernel/resource/codec.h"
#include "kernel/resource/errors.h"
#include "kernel/resource/listing.h"

namespace keelson::api {

using base::Result;
using base::Task;
using object::Arena;
using object::Resource;
using object::Value;
using resource::Body;
using resource::Call;
using resource::ObjectAnswer;

namespace {

std::int64_t now_seconds(resource::Verbs& verbs) {
    return std::chrono::floor<std::chrono::seconds>(verbs.clock().wall_now().time_since_epoch()).count();
}

std::uint16_t verb_bit(std::string_view verb) {
    if (verb == "create") return object::verb_create;
    if (verb == "delete") return object::verb_delete;
    if (verb == "deletecollection") return object::verb_delete_collection;
    if (verb == "get") return object::verb_get;
    if (verb == "list") return object::verb_list;
    if (verb == "patch") return object::verb_patch;
    if (verb == "update") return object::verb_update;
    if (verb == "watch") return object::verb_watch;
    return 0;
}

// The verb by method and path; a field selector for one name does not make a list something else.
std::string_view effective_verb(const Request& request, const RequestInfo& info) {
    const std::string& method = request.method;
    bool named = info.parts.size() > 1;
    if (method == "POST") return named && info.subresource.empty() ? "" : "create";
    if (method == "PUT") return named ? "update" : "";
    if (method == "PATCH") return named ? "patch" : "";
    if (method == "DELETE") return named ? "delete" : "deletecollection";
    if (method != "GET") return "";
    if (info.watch_by_path) return "watch";
    if (named) return "get";
    return asks_for_watch(request) ? "watch" : "list";
}

Result<Call> resolve(const Request& request, const RequestInfo& info, const access::Identity& user) {
    const Resource* resource = object::find_resource(info.group, info.version, info.resource);
    if (!resource) return resource::resource_not_served();
    Call call;
    call.identity = user;
    call.resource = resource;
    bool in_namespace = !info.namespace_name.empty() && info.resource != "namespaces";
    if (resource->namespaced) call.namespace_name = info.namespace_name;
    if (!resource->namespaced && in_namespace) return resource::resource_not_served();
    bool named = info.parts.size() > 1;
    if (named) call.name = info.parts[1];
    std::uint16_t allowed = resource->verbs;
    if (!info.subresource.empty()) {
        call.subresource = resource->subresource(info.subresource);
        if (!call.subresource) return resource::resource_not_served();
        allowed = call.subresource->verbs;
    }
    std::string_view verb = effective_verb(request, info);
    if ((allowed & verb_bit(verb)) == 0) return resource::method_not_allowed();
    bool needs_namespace = verb != "list" && verb != "watch" && resource->namespaced;
    if (needs_namespace && call.namespace_name.empty()) return resource::method_not_allowed();
    return call;
}

ObjectAnswer list_answer(const Resource& resource, store::Revision revision, const std::string& items) {
    std::string json = "{\"kind\":\"" + std::string(resource.kind) + "List\",\"apiVersion\":\"" +
                       std::string(object::api_version_of(resource)) +
                       "\",\"metadata\":{\"resourceVersion\":\"" + std::to_string(revision) +
                       "\"},\"items\":[" + items + "]}";
    const object::Type* type =
        object::find_kind(resource.group, resource.version, std::string(resource.kind) + "List");
    return {200, type, std::move(json)};
}

}  // namespace

ContextHandler KubernetesHandler::handler() {
    return [this](Exchange& exchange, RequestContext& context) { return handle(exchange, context); };
}

Task<void> KubernetesHandler::handle(Exchange& exchange, RequestContext& context) {
    const Request& request = exchange.request();
    if (!context.info.is_resource_request) {
        bool reads = request.method == "GET" || request.method == "HEAD";
        const bool is_discovery = request.path == "/" || request.path.starts_with("/api");
        const bool has_metrics = reads && is_discovery && metrics_ && metrics_->is_available();
        if (reads && (has_metrics ? metrics_->discovery() : discovery_).handle(exchange)) co_return;
        const bool described = reads && co_await open_api_.handle(exchange);
        if (described) co_return;
        bool known_group = Discovery::names_unserved_version(request.path);
        exchange.respond(known_group ? status_response(resource::resource_not_served()) : page_not_found());
        co_return;
    }
    if (metrics_ && MetricsHandler::handles(context.info) && metrics_->is_available()) {
        auto measuring = metrics_->handle(exchange, context.info);
        co_await measuring;
        co_return;
    }
    auto call = resolve(request, context.info, context.user);
    if (!call) {
        exchange.respond(status_response(call.error()));
        co_return;
    }
    co_await serve_resource(exchange, *call, context.info);
}

Task<void> KubernetesHandler::serve_resource(Exchange& exchange, Call& call, const RequestInfo& info) {
    std::string_view verb = effective_verb(exchange.request(), info);
    if (call.resource->kind == "Endpoints")
        exchange.add_warning("v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice");
    if (call.resource->kind == "ComponentStatus")
        exchange.add_warning("v1 ComponentStatus is deprecated in v1.19+");
    if (verb == "list") {
        co_await serve_list(exchange, verbs_, call);
        co_return;
    }
    if (verb == "watch") {
        co_await serve_watch(exchange, verbs_, event_caches_, call);
        co_return;
    }
    if (nodes_ != nullptr && is_stream_call(call)) {
        auto serving = serve_stream(exchange, {verbs_.lookup(), *nodes_}, call);
        co_await serving;
        co_return;
    }
    auto representation = negotiate(exchange.request());
    if (!representation) {
        exchange.respond(status_response(representation.error()));
        co_return;
    }
    auto answer = co_await carry_out(exchange, call, info);
    for (const std::string& warning : call.warnings) exchange.add_warning(warning);
    if (!answer) {
        exchange.respond(status_response(answer.error()));
        co_return;
    }
    auto body = write_answer(*representation, *answer, now_seconds(verbs_));
    if (!body) {
        exchange.respond(status_response(body.error()));
        co_return;
    }
    if (representation->is_plain()) body->push_back('\n');
    exchange.respond(
        Response(answer->code, std::string(content_type(representation->format)), std::move(*body)));
}

Task<Result<ObjectAnswer>> KubernetesHandler::carry_out(Exchange& exchange, Call& call,
                                                        const RequestInfo& info) {
    std::string_view verb = effective_verb(exchange.request(), info);
    if (verb == "get") {
        if (resource::Subresources::handles(call)) co_return co_await subresources_.get(call);
        if (call.resource->name == "componentstatuses" && call.resource->group.empty())
            co_return resource::not_found(*call.resource, call.name);
        co_return co_await verbs_.get(call, exchange.request().query_value("resourceVersion"));
    }
    // Exec, attach, port-forward and proxy: their options are in the query, whatever the method.
    if (call.subresource && call.subresource->kind.ends_with("Options"))
        co_return co_await subresources_.get(call);
    if (verb == "create" || verb == "update") co_return co_await write(exchange, call, verb == "create");
    if (verb == "patch") co_return co_await patch(exchange, call);
    if (verb == "delete" && !call.subresource) co_return co_await remove(exchange, call);
    if (verb == "deletecollection") co_return co_await remove_collection(exchange, call);
    co_return co_await subresources_.get(call);
}

Task<Result<ObjectAnswer>> KubernetesHandler::write(Exchange& exchange, Call& call, bool is_create) {
    KEELSON_CO_TRY(BodyFormat format, body_format(exchange.request()));
    KEELSON_CO_TRY(resource::WriteOptions options,
                   parse_write_options(exchange.request(), is_create ? "CreateOptions" : "UpdateOptions"));
    bool note = options.field_validation != resource::FieldValidation::ignore;
    std::string_view kind = call.subresource ? call.subresource->kind : call.resource->kind;
    std::string text = exchange.take_body();
    Arena arena;
    KEELSON_CO_TRY(Body body, parse_body(text, format, kind, arena, note));
    if (resource::Subresources::handles(call)) {
        if (is_create) co_return co_await subresources_.create(call, body, options, arena);
        co_return co_await subresources_.update(call, body, options, arena);
    }
    if (is_create) co_return co_await verbs_.create(call, body, options, arena);
    co_return co_await verbs_.update(call, body, options, arena);
}

Task<Result<ObjectAnswer>> KubernetesHandler::patch(Exchange& exchange, Call& call) {
    auto type = patch_type(exchange.request());
    if (!type) co_return unsupported_patch();
    bool is_apply = *type == resource::PatchType::apply;
    KEELSON_CO_TRY(resource::WriteOptions options,
                   parse_write_options(exchange.request(), "PatchOptions", is_apply));
    std::string text = exchange.take_body();
    Arena arena;
    KEELSON_CO_TRY(Body patch_body, parse_patch(text, *type, arena));
    if (resource::Subresources::handles(call))
        co_return co_await subresources_.patch(call, *type, patch_body, options);
    co_return co_await verbs_.patch(call, *type, patch_body, options);
}

namespace {

// Some clients send DeleteOptions in the body, some in the query.
Result<resource::DeleteOptions> delete_options(Exchange& exchange, Arena& arena, const std::string& text) {
    Value body;
    if (!text.empty()) {
        KEELSON_TRY(BodyFormat format, body_format(exchange.request()));
        KEELSON_TRY(Body parsed, parse_body(text, format, "", arena, false));
        body = parsed.value;
        const object::Type& type = *object::find_type("meta/v1.DeleteOptions");
        KEELSON_TRY(body, object::conform(type, body.is_map() ? body : Value::map(arena), arena));
    }
    return parse_delete_options(exchange.request(), body);
}

}  // namespace

Task<Result<ObjectAnswer>> KubernetesHandler::remove(Exchange& exchange, Call& call) {
    Arena arena;
    std::string text = exchange.take_body();
    KEELSON_CO_TRY(resource::DeleteOptions options, delete_options(exchange, arena, text));
    bool chosen = options.propagation_policy || options.orphan_dependents;
    if (call.resource->delete_dependents == "orphan" && call.resource->kind == "Job" && !chosen)
        call.warnings.push_back(
            "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to "
            "remove "
            "them or set propagationPolicy=Orphan to suppress this warning");
    co_return co_await verbs_.remove(call, options);
}

Task<Result<ObjectAnswer>> KubernetesHandler::remove_collection(Exchange& exchange, Call& call) {
    Arena arena;
    std::string text = exchange.take_body();
    KEELSON_CO_TRY(resource::DeleteOptions options, delete_options(exchange, arena, text));
    KEELSON_CO_TRY(resource::ListOptions list, parse_list_options(exchange.request()));
    KEELSON_CO_TRY(resource::Listing listing, resource::Listing::start(verbs_.store(), call, list));
    std::vector<std::string> names;
    std::string items;
    bool more = true;
    while (more) {
        KEELSON_CO_TRY(more, listing.step([&](const store::Record& record) {
            names.emplace_back(resource::parts_of(*call.resource, record.key).name);
            if (!items.empty()) items += ',';
            resource::append_json(record, resource::WithKind::no, items);
        }));
    }
    for (const std::string& name : names) {
        Call one = call;
        one.name = name;
        auto removed = co_await verbs_.remove(one, options);
        // Somebody else may have deleted it meanwhile; that is what was asked for.
        if (!removed && removed.error().reason() != base::Reason::not_found)
            co_return std::move(removed).error();
    }
    co_return list_answer(*call.resource, listing.revision(), items);
}

}  // namespace keelson::api
