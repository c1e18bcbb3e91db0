#include "kernel/admin/routes.h"

#include <algorithm>
#include <numeric>

namespace keelson::admin {
namespace {

constexpr std::string_view kProbeText = "text/plain; version=0.0.4";
const Member kManifest{"manifest", "string", true,
                       "Path of the manifest: in the plugin directory or an allowed one."};
const Member kSum{"X-Keelson-Sha256", "string", true, "SHA-256 of the body, in hexadecimal."};

std::vector<Route> make_table() {
    return {
        {"GET", "/v1/plugins", "All plugins, failed ones with their reasons.", list_plugins},
        {"GET", "/v1/plugins/{name}", "One plugin.", get_plugin},
        {.method = "POST",
         .pattern = "/v1/plugins",
         .summary = "Adds a plugin from its manifest.",
         .handle = add_plugin,
         .body = Body::members,
         .members = {kManifest,
                     {"name", "string", false, "How the API calls it; by default the manifest's file name."},
                     {"config", "object", false, "Its configuration."},
                     {"isolation", "string", false, "process (the default) or in-process."},
                     {"sha256", "string", false, "That the library must have, in hexadecimal."}},
         .success = 201,
         .changes = true},
        {.method = "PUT",
         .pattern = "/v1/plugins/{name}/config",
         .summary = "Replaces a plugin's configuration; the body is the configuration.",
         .handle = configure_plugin,
         .body = Body::document,
         .changes = true},
        {.method = "PUT",
         .pattern = "/v1/plugins/{name}/objects",
         .summary = "What of the Kubernetes API the plugin may read, of what its manifest asks for: "
                    "{\"objects\": [{\"apiVersion\", \"resource\", \"verbs\"}]}.",
         .handle = accept_objects,
         .body = Body::document,
         .changes = true},
        {.method = "POST",
         .pattern = "/v1/plugins/{name}/enable",
         .summary = "Starts a disabled plugin.",
         .handle = enable_plugin,
         .changes = true},
        {.method = "POST",
         .pattern = "/v1/plugins/{name}/disable",
         .summary = "Stops a plugin that is not in use; it stays listed.",
         .handle = disable_plugin,
         .changes = true},
        {.method = "POST",
         .pattern = "/v1/plugins/{name}/reload",
         .summary = "Loads a plugin's files again.",
         .handle = reload_plugin,
         .changes = true},
        {.method = "POST",
         .pattern = "/v1/plugins/{name}/replace",
         .summary = "Lets another manifest of the same id take over.",
         .handle = replace_plugin,
         .body = Body::members,
         .members = {kManifest},
         .changes = true},
        {.method = "DELETE",
         .pattern = "/v1/plugins/{name}",
         .summary = "Removes a plugin that is not in use, or any with force.",
         .handle = remove_plugin,
         .query = {{"force", "boolean", false, "Also when calls are under way or others require it."}},
         .success = 204,
         .changes = true},
        {.method = "GET",
         .pattern = "/v1/plugins/{name}/trace",
         .summary = "The plugin's calls from now on, one JSON document a line.",
         .handle = trace_plugin,
         .query = {{"seconds", "integer", false, "1 to 3600; by default until the client goes."}},
         .answers_with = "application/x-ndjson"},
        {"GET", "/v1/store", "Revisions and sizes of the store, and a staged restore.", get_store},
        {.method = "POST",
         .pattern = "/v1/store/compact",
         .summary = "Forgets versions that are older than a revision.",
         .handle = compact_store,
         .body = Body::members,
         .members = {{"revision", "integer", false, "The current one by default."}},
         .changes = true},
        {.method = "GET",
         .pattern = "/v1/store/snapshot",
         .summary = "A consistent copy of the store; its SHA-256 is in X-Keelson-Sha256.",
         .handle = snapshot_store,
         .answers_with = "application/octet-stream"},
        {.method = "POST",
         .pattern = "/v1/store/restore",
         .summary = "Checks a snapshot and stages it; it takes the store's place at the next start.",
         .handle = restore_store,
         .body = Body::upload,
         .headers = {kSum},
         .success = 202,
         .changes = true},
        {.method = "DELETE",
         .pattern = "/v1/store/restore",
         .summary = "Forgets the staged snapshot.",
         .handle = cancel_restore,
         .success = 204,
         .changes = true},
        {.method = "POST",
         .pattern = "/v1/store/rollback",
         .summary = "Brings keys back to their state at a revision, as new writes.",
         .handle = rollback_store,
         .body = Body::members,
         .members = {{"revision", "integer", true, "Not compacted yet."},
                     {"prefix", "string", false, "Only keys that begin with it; all by default."},
                     {"dryRun", "boolean", false, "Only say what would change."}},
         .changes = true},
        {.method = "PUT",
         .pattern = "/v1/uploads/{file}",
         .summary = "Puts a plugin's library (.so) or manifest (.yaml) into the upload directory.",
         .handle = upload_file,
         .body = Body::upload,
         .headers = {kSum},
         .success = 201,
         .changes = true},
        {"GET", "/v1/images", "The images of this node's runtime.", list_images},
        {"GET", "/v1/images/pulls", "How far the pulls under way are.", list_pulls},
        {.method = "POST",
         .pattern = "/v1/images/pull",
         .summary = "Gets an image from its registry.",
         .handle = pull_image,
         .body = Body::members,
         .members = {{"image", "string", true, "Its name, such as docker.io/library/nginx:1."},
                     {"username", "string", false, "Of the registry; the node's configuration by default."},
                     {"password", "string", false, "Of the registry."}},
         .changes = true},
        {.method = "POST",
         .pattern = "/v1/images/import",
         .summary = "Takes the images of an archive: of `docker save`, or an OCI archive.",
         .handle = import_images,
         .body = Body::upload,
         .query = {{"name", "string", false, "Instead of the names in the archive."}},
         .headers = {kSum},
         .changes = true},
        {.method = "DELETE",
         .pattern = "/v1/images",
         .summary = "Removes an image that no container uses.",
         .handle = remove_image,
         .query = {{"image", "string", true, "A name or an id."}},
         .changes = true},
        {"GET", "/v1/health", "What is well; 503 when something is not.", get_health},
        {"GET", "/v1/config", "The configuration in effect, secrets hidden.", get_config},
        {"GET", "/v1/log-level", "The level of the log.", get_log_level},
        {.method = "PUT",
         .pattern = "/v1/log-level",
         .summary = "Sets the level of the log until the next start.",
         .handle = put_log_level,
         .body = Body::members,
         .members = {{"level", "string", true, "debug, info, warning, error or off."}},
         .changes = true},
        {.method = "GET",
         .pattern = "/metrics",
         .summary = "Metrics in Prometheus' text format.",
         .handle = get_metrics,
         .answers_with = kProbeText},
        {"GET", "/v1/openapi.json", "This API as an OpenAPI 3 document.", get_openapi},
    };
}

std::vector<std::string_view> segments(std::string_view path) {
    std::vector<std::string_view> parts;
    while (!path.empty()) {
        path.remove_prefix(1);
        const std::size_t end = std::min(path.find('/'), path.size());
        parts.push_back(path.substr(0, end));
        path.remove_prefix(end);
    }
    return parts;
}

bool is_parameter(std::string_view segment) {
    return segment.starts_with('{');
}

bool matches(const Route& route, const std::vector<std::string_view>& path) {
    const auto pattern = segments(route.pattern);
    return std::ranges::equal(pattern, path, [](std::string_view wanted, std::string_view given) {
        return is_parameter(wanted) ? !given.empty() : wanted == given;
    });
}

// Edit distance (Levenshtein), on the first 64 letters.
std::size_t distance(std::string_view a, std::string_view b) {
    a = a.substr(0, 64);
    b = b.substr(0, 64);
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), 0u);
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, replaced}));
        }
    }
    return row.back();
}

std::string near_routes(std::string_view path) {
    std::vector<std::pair<std::size_t, std::string>> near;
    for (const Route& route : routes())
        near.emplace_back(distance(path, route.pattern),
                          std::string(route.method) + " " + std::string(route.pattern));
    std::ranges::sort(near);
    std::string text;
    for (std::size_t i = 0; i < 3; ++i) text += (i == 0 ? "" : ", ") + near[i].second;
    return text;
}

}  // namespace

const std::vector<Route>& routes() {
    static const std::vector<Route> table = make_table();
    return table;
}

tl::expected<const Route*, Problem> find_route(Request& request) {
    if (!request.path.starts_with('/')) return refuse(400, "the path must begin with /");
    const auto path = segments(request.path);
    std::string allowed;
    for (const Route& route : routes()) {
        if (!matches(route, path)) continue;
        if (route.method != request.method) {
            allowed += (allowed.empty() ? "" : ", ") + std::string(route.method);
            continue;
        }
        const auto pattern = segments(route.pattern);
        for (std::size_t i = 0; i < path.size(); ++i) {
            if (is_parameter(pattern[i]))
                request.parameters[std::string(pattern[i].substr(1, pattern[i].size() - 2))] = path[i];
        }
        request.route = &route;
        return &route;
    }
    if (allowed.empty())
        return refuse(404, "there is no route '" + request.path + "'; near it: " + near_routes(request.path) +
                               ". All routes: GET /v1/openapi.json");
    Problem problem(405, request.path + " does not take " + request.method + ": use " + allowed);
    problem.headers.emplace_back("Allow", allowed);
    return refuse(std::move(problem));
}

}  // namespace keelson::admin
