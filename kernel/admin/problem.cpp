#include "kernel/admin/problem.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <nlohmann/json.hpp>

namespace keelson::admin {
namespace {

using Title = std::pair<int, std::string_view>;
constexpr std::array<Title, 24> kTitles{{{200, "OK"},
                                         {201, "Created"},
                                         {202, "Accepted"},
                                         {204, "No Content"},
                                         {400, "Bad Request"},
                                         {401, "Unauthorized"},
                                         {403, "Forbidden"},
                                         {404, "Not Found"},
                                         {405, "Method Not Allowed"},
                                         {406, "Not Acceptable"},
                                         {408, "Request Timeout"},
                                         {409, "Conflict"},
                                         {410, "Gone"},
                                         {411, "Length Required"},
                                         {413, "Content Too Large"},
                                         {415, "Unsupported Media Type"},
                                         {422, "Unprocessable Content"},
                                         {429, "Too Many Requests"},
                                         {431, "Request Header Fields Too Large"},
                                         {500, "Internal Server Error"},
                                         {501, "Not Implemented"},
                                         {503, "Service Unavailable"},
                                         {504, "Gateway Timeout"},
                                         {505, "HTTP Version Not Supported"}}};

}  // namespace

Problem::Problem(const base::Status& failure) : status(failure.code()), detail(failure.message()) {
    // Another room does not know the operation; this room's route does exist.
    if (status == 405) status = 501;
    if (status < 400 || status > 599) status = 500;
    if (const base::StatusDetails* details = failure.details()) {
        for (const base::Cause& cause : details->causes) errors.push_back({cause.field, cause.message});
        if (details->retry_after_seconds > 0)
            headers.emplace_back("Retry-After", std::to_string(details->retry_after_seconds));
    }
}

std::string_view status_title(int status) {
    const auto* const found = std::ranges::find(kTitles, status, &Title::first);
    return found == kTitles.end() ? "Failure" : found->second;
}

std::string problem_document(const Problem& problem, std::string_view instance) {
    const std::string title(status_title(problem.status));
    std::string kind;
    for (const char letter : title)
        kind += letter == ' ' ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
    nlohmann::ordered_json document{{"type", "urn:keelson:problem:" + kind},
                                    {"title", title},
                                    {"status", problem.status},
                                    {"detail", problem.detail}};
    if (!instance.empty()) document["instance"] = instance;
    for (const FieldError& error : problem.errors)
        document["errors"].push_back({{"field", error.field}, {"detail", error.detail}});
    return document.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace keelson::admin
