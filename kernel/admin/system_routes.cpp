// The routes of the process itself.
#include "kernel/admin/documents.h"
#include "kernel/admin/members.h"
#include "kernel/admin/routes.h"

namespace keelson::admin {
namespace {

std::string_view level_text(base::LogLevel level) {
    switch (level) {
        case base::LogLevel::debug:
            return "debug";
        case base::LogLevel::info:
            return "info";
        case base::LogLevel::warning:
            return "warning";
        case base::LogLevel::error:
            return "error";
        case base::LogLevel::off:
            break;
    }
    return "off";
}

Outcome answer_level(const Context& context) {
    return answer_with(text_document("level", level_text(context.parts.log_level())));
}

}  // namespace

Outcome get_health(Context& context, Request&) {
    std::string items;
    Problem problem(503, "not everything is well");
    for (const HealthItem& item : context.parts.health()) {
        items += (items.empty() ? "" : ",") + std::string("{\"name\":") + quoted(item.name) +
                 ",\"passed\":" + (item.passed ? "true" : "false") + "}";
        if (!item.passed) problem.errors.push_back({item.name, item.failure});
    }
    if (problem.errors.empty()) return answer_with("{\"healthy\":true,\"checks\":[" + items + "]}\n");
    for (const FieldError& error : problem.errors)
        problem.detail +=
            (&error == &problem.errors.front() ? ": " : "; ") + error.field + ": " + error.detail;
    return refuse(std::move(problem));
}

Outcome get_config(Context& context, Request&) {
    return answer_with(context.parts.config());
}

Outcome get_log_level(Context& context, Request&) {
    return answer_level(context);
}

Outcome put_log_level(Context& context, Request& request) {
    auto members = Members::parse(request.body, request.route->members);
    if (!members) return refuse(std::move(members).error());
    const auto level = base::parse_log_level(*members->text("level"));
    if (!level) {
        Problem problem(400, level.error().message());
        problem.errors.push_back({"level", level.error().message()});
        return refuse(std::move(problem));
    }
    request.note = "level=" + *members->text("level");
    context.parts.set_log_level(*level);
    return answer_level(context);
}

Outcome get_metrics(Context& context, Request&) {
    Answer answer = answer_with(context.parts.metrics.text());
    answer.content_type = "text/plain; version=0.0.4";
    return answer;
}

Outcome get_openapi(Context&, Request&) {
    return answer_with(openapi_document());
}

}  // namespace keelson::admin
