// The table of routes: what is served, how it is documented, and what a request may hold, in one place.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/admin/context.h"
#include "kernel/admin/exchange.h"

namespace keelson::admin {

struct Member {
    std::string_view name;
    std::string_view type;  // "string", "integer", "boolean" or "object"
    bool is_required = false;
    std::string_view about;
};

enum class Body { none, members, document, upload };

struct Route {
    std::string_view method;
    std::string_view pattern;  // "/v1/plugins/{name}"
    std::string_view summary;
    Outcome (*handle)(Context& context, Request& request);
    Body body = Body::none;
    std::vector<Member> members = {};  // of a body of members
    std::vector<Member> query = {};
    std::vector<Member> headers = {};
    int success = 200;
    std::string_view answers_with = "application/json";
    bool changes = false;  // is written to the log
};

[[nodiscard]] const std::vector<Route>& routes();

// Fills in the request's route and path parameters. A failure is a 404 that names routes like it, or a 405
// with Allow.
[[nodiscard]] tl::expected<const Route*, Problem> find_route(Request& request);

[[nodiscard]] std::string openapi_document();

// The handlers.
Outcome list_plugins(Context& context, Request& request);
Outcome get_plugin(Context& context, Request& request);
Outcome add_plugin(Context& context, Request& request);
Outcome configure_plugin(Context& context, Request& request);
Outcome accept_objects(Context& context, Request& request);
Outcome enable_plugin(Context& context, Request& request);
Outcome disable_plugin(Context& context, Request& request);
Outcome reload_plugin(Context& context, Request& request);
Outcome replace_plugin(Context& context, Request& request);
Outcome remove_plugin(Context& context, Request& request);
Outcome trace_plugin(Context& context, Request& request);

Outcome get_store(Context& context, Request& request);
Outcome compact_store(Context& context, Request& request);
Outcome snapshot_store(Context& context, Request& request);
Outcome restore_store(Context& context, Request& request);
Outcome cancel_restore(Context& context, Request& request);
Outcome rollback_store(Context& context, Request& request);

Outcome upload_file(Context& context, Request& request);

Outcome list_images(Context& context, Request& request);
Outcome list_pulls(Context& context, Request& request);
Outcome pull_image(Context& context, Request& request);
Outcome import_images(Context& context, Request& request);
Outcome remove_image(Context& context, Request& request);

Outcome get_health(Context& context, Request& request);
Outcome get_config(Context& context, Request& request);
Outcome get_log_level(Context& context, Request& request);
Outcome put_log_level(Context& context, Request& request);
Outcome get_metrics(Context& context, Request& request);
Outcome get_openapi(Context& context, Request& request);

}  // namespace keelson::admin
