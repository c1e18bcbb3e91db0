#include "kernel/admin/service.h"

#include <exception>

#include "kernel/admin/members.h"
#include "kernel/admin/routes.h"
#include "kernel/base/log.h"

namespace keelson::admin {
namespace {

Problem not_authenticated(std::string detail) {
    Problem problem(401, std::move(detail));
    problem.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"keelson-admin\"");
    return problem;
}

tl::expected<Caller, Problem> identify(Context& context, const Request& request) {
    if (request.caller) return *request.caller;
    const access::Credentials& shown = request.credentials;
    if (shown.bearer_token.empty() && !shown.certificate)
        return refuse(not_authenticated(
            "who asks? Show the admin's token (Authorization: Bearer ...) or a client certificate"));
    auto caller = Gate::wait(context.gate, context.parts.executor, context.parts.authenticate(shown));
    if (!caller) return refuse(503, "the server stops");
    if (!*caller)
        return refuse(not_authenticated("the credential is not accepted: " + caller->error().message()));
    return std::move(**caller);
}

tl::expected<std::string, Problem> read_body(const Context& context, Request& request) {
    const AdminLimits& limits = context.parts.limits;
    const Problem too_large(
        413, "the body is longer than the limit of " + std::to_string(limits.json_bytes) + " bytes");
    BodySource& source = *request.source;
    if (source.length().value_or(0) > limits.json_bytes) return refuse(too_large);
    source.limit_time(limits.body_timeout);
    std::string body;
    char piece[16384];
    while (true) {
        auto count = source.read(piece, sizeof piece);
        if (!count) return refuse(std::move(count).error());
        if (*count == 0) return body;
        if (body.size() + *count > limits.json_bytes) return refuse(too_large);
        body.append(piece, *count);
    }
}

tl::expected<void, Problem> check_content_type(const Request& request) {
    const std::string type = request.header("content-type");
    const std::string bare = type.substr(0, type.find(';'));
    // curl -d says the second one unless it is told otherwise.
    if (request.body.empty() || bare.empty() || bare == "application/json" ||
        bare == "application/x-www-form-urlencoded")
        return {};
    return refuse(415, "the body must be application/json, not '" + bare + "'");
}

tl::expected<void, Problem> take_body(Context& context, Request& request, const Route& route) {
    if (route.body == Body::upload) return {};
    auto body = read_body(context, request);
    if (!body) return refuse(std::move(body).error());
    request.body = std::move(*body);
    if (auto good = check_content_type(request); !good) return good;
    if (route.body == Body::none && request.body.find_first_not_of(" \t\r\n") != std::string::npos) {
        auto members = Members::parse(request.body, {});
        if (!members) return refuse(std::move(members).error());
    }
    return {};
}

Outcome run_route(Context& context, Request& request, const Route& route) {
    try {
        if (auto good = check_query(request, route); !good) return refuse(good.error());
        if (auto taken = take_body(context, request, route); !taken) return refuse(taken.error());
        return route.handle(context, request);
    } catch (const std::exception& error) {
        base::log_error("an admin request failed inside",
                        {{"method", request.method}, {"path", request.path}, {"error", error.what()}});
        return refuse(500, "the request failed inside the server; its log says why");
    }
}

// Calls of nobody known are only counted: they must not fill the log.
void write_down(Context& context, const Request& request, const Caller* who, const Route* route, int status) {
    context.parts.metrics
        .counter("keelson_admin_requests_total", "Requests to the admin API.",
                 {{"route", route == nullptr ? "none" : std::string(route->pattern)},
                  {"method", route == nullptr ? "none" : std::string(route->method)},
                  {"code", std::to_string(status)}})
        .add();
    if (route == nullptr || !route->changes || who == nullptr) return;
    base::log_info("admin call", {{"who", who->name},
                                  {"method", request.method},
                                  {"path", request.path},
                                  {"what", request.note},
                                  {"status", status}});
}

Answer decide(Context& context, Request& request) {
    const auto route = find_route(request);
    const Route* known = route ? *route : nullptr;
    const auto caller = identify(context, request);
    Outcome outcome = refuse(500, {});
    if (!caller)
        outcome = refuse(caller.error());
    else if (!caller->is_admin)
        outcome = refuse(
            403, "'" + caller->name + "' is not an admin: the admin API is for the group system:masters");
    else if (!route)
        outcome = refuse(route.error());
    else
        outcome = run_route(context, request, **route);
    Answer answer = outcome ? std::move(*outcome) : answer_problem(outcome.error(), request.path);
    write_down(context, request, caller ? &*caller : nullptr, known, answer.status);
    return answer;
}

}  // namespace

Answer answer_problem(const Problem& problem, std::string_view instance) {
    Answer answer;
    answer.status = problem.status;
    answer.content_type = "application/problem+json";
    answer.headers = problem.headers;
    answer.body = problem_document(problem, instance);
    return answer;
}

Answer serve(Context& context, Request& request) {
    try {
        return decide(context, request);
    } catch (const std::exception& error) {
        base::log_error("an admin request failed", {{"path", request.path}, {"error", error.what()}});
        return answer_problem({500, "the request failed inside the server; its log says why"}, {});
    }
}

}  // namespace keelson::admin
