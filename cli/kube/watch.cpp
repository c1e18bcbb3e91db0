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

}  // namespace

Result<void> watch(Api& api, ApiCall call, const std::string& resource_version, const EventSink& sink) {
    call.query.emplace_back("watch", "true");
    if (!resource_version.empty()) call.query.emplace_back("resourceVersion", resource_version);
    std::string waiting;
    Result<void> handled;
    const auto done = api.stream(call, [&](std::string_view piece) {
        waiting += piece;
        std::size_t begin = 0;
        for (std::size_t end = 0; (end = waiting.find('\n', begin)) != std::string::npos; begin = end + 1) {
            const auto more = handle_line(waiting.substr(begin, end - begin), sink);
            if (!more) handled = pass_on(more);
            if (!more || !*more) return false;
        }
        waiting.erase(0, begin);
        return true;
    });
    if (!handled) return handled;
    return done;
}

}  // namespace keelson::cli::kube
