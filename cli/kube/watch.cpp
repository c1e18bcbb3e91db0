#include "cli/kube/watch.h"

#include <nlohmann/json.hpp>

namespace keelson::cli::kube {
namespace {

Result<bool> handle_line(const std::string& line, const EventSink& sink) {
    auto document = parse_object(line, "an event of the watch");
    if (!document) return pass_on(document);
    const std::string type = text_at(*document, "type");
    if (type == "ERROR") {
        const Object& status = member(*document, "object");
        const Object& code = member(status, "code");
        return tl::unexpected(
            refusal_of({.status = code.is_number() ? code.get<int>() : 500, .body = compact(status)}));
    }
    return sink({type, std::move((*document)["object"])});
}

std::chrono::milliseconds left_until(Deadline deadline) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
}

tl::unexpected<Failure> timed_out() {
    Failure failure{"timed out waiting for the condition"};
    failure.is_timeout = true;
    return tl::unexpected(failure);
}

}  // namespace

Result<void> watch(Api& api, ApiCall call, const std::string& resource_version, const EventSink& sink,
                   std::optional<Deadline> deadline) {
    call.query.emplace_back("watch", "true");
    if (!resource_version.empty()) call.query.emplace_back("resourceVersion", resource_version);
    std::chrono::milliseconds patience{0};
    if (deadline) {
        patience = left_until(*deadline);
        if (patience.count() <= 0) return timed_out();
        call.query.emplace_back("timeoutSeconds", std::to_string(patience.count() / 1000 + 1));
    }
    std::string waiting;
    Result<void> handled;
    const auto take = [&](std::string_view piece) {
        waiting += piece;
        std::size_t begin = 0;
        for (std::size_t end = 0; (end = waiting.find('\n', begin)) != std::string::npos; begin = end + 1) {
            const auto more = handle_line(waiting.substr(begin, end - begin), sink);
            if (!more) handled = pass_on(more);
            if (!more || !*more) return false;
        }
        waiting.erase(0, begin);
        return true;
    };
    auto done = api.stream(call, take, patience);
    if (!handled) return handled;
    return done;
}

Result<void> watch_object(Api& api, const std::string& collection_path, const std::string& name,
                          const ObjectTest& is_done, std::optional<Deadline> deadline) {
    const ApiCall call{.path = collection_path, .query = {{"fieldSelector", "metadata.name=" + name}}};
    for (;;) {
        const auto list = api.ask(call);
        if (!list) return pass_on(list);
        const Object& items = member(*list, "items");
        auto done = is_done(items.is_array() && !items.empty() ? items.front() : Object());
        if (!done) return pass_on(done);
        if (*done) return {};
        auto watched = watch(
            api, call, resource_version_of(*list),
            [&](const WatchEvent& event) -> Result<bool> {
                if (event.type == "BOOKMARK") return true;
                done = is_done(event.type == "DELETED" ? Object() : event.object);
                if (!done) return pass_on(done);
                return !*done;
            },
            deadline);
        if (!done) return pass_on(done);
        if (*done) return {};
        if (!watched && !is_refused_as(watched.error(), "Expired") && !is_refused_as(watched.error(), "Gone"))
            return watched;
        if (deadline && left_until(*deadline).count() <= 0) return timed_out();
    }
}

}  // namespace keelson::cli::kube
