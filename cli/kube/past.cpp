#include "cli/kube/past.h"

#include <cstdlib>

#include "cli/kube/watch.h"
#include "cli/output.h"
#include "cli/server.h"

namespace keelson::cli::kube {
namespace {

// Nobody writes while this waits, or the object is gone: all of its past has come by then.
constexpr std::chrono::seconds kPatience{3};

// From which revision on a watch may start: what the store's admin API says, when this user may ask it.
std::string oldest_revision(const Session& session) {
    ServerOptions options;
    const char* directory = std::getenv("KEELSON_DATA_DIR");
    if (directory != nullptr) options.data_directory = directory;
    if (!session.globals().data_directory.empty()) options.data_directory = session.globals().data_directory;
    const auto server = find_server(options);
    if (!server) return "1";
    const auto answer = call(*server, {.path = "/v1/store"});
    if (!answer) return "1";
    const auto document = parse_answer(answer->body);
    if (!document) return "1";
    const std::string compacted = text_of(*document, "compactedRevision");
    return compacted.empty() || compacted == "0" ? "1" : compacted;
}

}  // namespace

Result<std::vector<PastState>> past_states(Session& session, const Item& item) {
    const auto api = session.api();
    if (!api) return pass_on(api);
    const ApiCall call{.path = item.resource->path(item.namespace_name),
                       .query = {{"fieldSelector", "metadata.name=" + item.name}}};
    const auto now = (*api)->ask(call);
    if (!now) return pass_on(now);
    const Object& items = member(*now, "items");
    const std::string newest = items.is_array() && !items.empty() ? resource_version_of(items.front()) : "";
    std::vector<PastState> states;
    const auto done = watch(
        **api, call, oldest_revision(session),
        [&](const WatchEvent& event) -> Result<bool> {
            if (event.type == "BOOKMARK") return true;
            states.push_back({event.type, event.object});
            return newest.empty() || resource_version_of(event.object) != newest;
        },
        std::chrono::steady_clock::now() + kPatience);
    if (!done && !done.error().is_timeout) {
        if (is_refused_as(done.error(), "Expired") || is_refused_as(done.error(), "Gone"))
            return fail(
                "the store's old revisions were compacted, and from which on it has all of them is told by "
                "the admin "
                "API only: run this on the server's machine, or name its data directory with --data-dir");
        return pass_on(done);
    }
    return states;
}

Result<Object> object_at(Api& api, const Item& item, const std::string& revision) {
    const auto list = api.ask({.path = item.resource->path(item.namespace_name),
                               .query = {{"fieldSelector", "metadata.name=" + item.name},
                                         {"resourceVersion", revision},
                                         {"resourceVersionMatch", "Exact"}}});
    if (!list && (is_refused_as(list.error(), "Expired") || is_refused_as(list.error(), "Gone")))
        return fail("the store does not have revision " + revision + " any more: see `keelctl history " +
                    item.text() + "`");
    if (!list) return pass_on(list);
    const Object& items = member(*list, "items");
    if (!items.is_array() || items.empty())
        return fail(item.text() + " was not there at revision " + revision);
    Object object = items.front();
    object["apiVersion"] = item.resource->api_version();
    object["kind"] = item.resource->kind;
    return object;
}

}  // namespace keelson::cli::kube
