#include "kernel/api/health_handler.h"

#include <algorithm>

namespace keelson::api {
namespace {

constexpr std::string_view plain_text = "text/plain; charset=utf-8";

Response text_response(int status, std::string text) {
    Response response(status, std::string(plain_text), std::move(text));
    response.headers.push_back({"X-Content-Type-Options", "nosniff"});
    return response;
}

}  // namespace

HealthChecks::HealthChecks() {
    add("ping", [] { return base::ok(); });
}

void HealthChecks::add(std::string name, Check check, Scope scope) {
    checks_.push_back({std::move(name), std::move(check), scope});
}

std::vector<HealthChecks::Outcome> HealthChecks::run(bool live_only) const {
    std::vector<Outcome> outcomes;
    for (const Entry& entry : checks_) {
        if (live_only && entry.scope == Scope::ready_only) continue;
        const auto result = entry.check();
        outcomes.push_back(
            {entry.name, result.has_value(), result ? std::string() : result.error().message()});
    }
    return outcomes;
}

std::string git_version(const VersionInfo& info) {
    return std::string(kubernetes_version) + "+keelson." + info.keelson_version;
}

std::string version_document(const VersionInfo& info) {
    return "{\n"
           "  \"major\": \"1\",\n"
           "  \"minor\": \"36\",\n"
           "  \"emulationMajor\": \"1\",\n"
           "  \"emulationMinor\": \"36\",\n"
           "  \"minCompatibilityMajor\": \"1\",\n"
           "  \"minCompatibilityMinor\": \"35\",\n"
           "  \"gitVersion\": \"" +
           git_version(info) +
           "\",\n"
           "  \"gitCommit\": \"" +
           info.revision +
           "\",\n"
           "  \"gitTreeState\": \"clean\",\n"
           "  \"buildDate\": \"" +
           info.build_date +
           "\",\n"
           "  \"goVersion\": \"none\",\n"
           "  \"compiler\": \"g++\",\n"
           "  \"platform\": \"linux/amd64\"\n"
           "}";
}

HealthHandler::HealthHandler(const HealthChecks& checks, base::Metrics& metrics, const VersionInfo& version)
    : checks_(checks), metrics_(metrics), version_document_(version_document(version)) {}

bool HealthHandler::handle(Exchange& exchange) const {
    const Request& request = exchange.request();
    std::string_view path = request.path;
    if (path == "/version" || path == "/version/") {
        exchange.respond({200, "application/json", version_document_});
        return true;
    }
    if (path == "/metrics") {
        exchange.respond({200, "text/plain; version=0.0.4; charset=utf-8", metrics_.text()});
        return true;
    }
    for (const std::string_view endpoint : {"healthz", "livez", "readyz"}) {
        if (!path.substr(1).starts_with(endpoint)) continue;
        const std::string_view rest = path.substr(1 + endpoint.size());
        if (!rest.empty() && !rest.starts_with('/')) continue;
        exchange.respond(
            answer_health(request, endpoint, rest.size() > 1 ? rest.substr(1) : std::string_view{}));
        return true;
    }
    return false;
}

// The texts are those of k8s.io/apiserver/pkg/server/healthz: scripts read them.
Response HealthHandler::answer_health(const Request& request, std::string_view endpoint,
                                      std::string_view check) const {
    const auto outcomes = checks_.run(endpoint == "livez");
    if (!check.empty()) {
        const auto found = std::ranges::find(outcomes, check, &HealthChecks::Outcome::name);
        if (found == outcomes.end()) return page_not_found();
        if (!found->passed) return text_response(500, "internal server error: " + found->failure + "\n");
        return text_response(200, "ok");
    }
    const auto excluded = request.query_values("exclude");
    std::string lines;
    bool passed = true;
    for (const auto& outcome : outcomes) {
        if (std::ranges::find(excluded, std::string_view(outcome.name)) != excluded.end()) {
            lines += "[+]" + outcome.name + " excluded: ok\n";
        } else if (outcome.passed) {
            lines += "[+]" + outcome.name + " ok\n";
        } else {
            // The reason may tell too much to strangers; the log has it.
            lines += "[-]" + outcome.name + " failed: reason withheld\n";
            passed = false;
        }
    }
    if (!passed) return text_response(500, lines + std::string(endpoint) + " check failed\n");
    if (!request.has_query("verbose")) return text_response(200, "ok");
    return text_response(200, lines + std::string(endpoint) + " check passed\n");
}

}  // namespace keelson::api
