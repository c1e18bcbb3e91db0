#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/output.h"

namespace keelson::cli {

Result<void> log_level(const Settings& settings, const std::string& level) {
    auto server = find_server(settings.server);
    if (!server) return tl::unexpected(server.error());
    Call request{.path = "/v1/log-level"};
    if (!level.empty()) {
        request.method = "PUT";
        request.body = text_of(Json{{"level", level}});
    }
    const auto answer = call(*server, request);
    if (!answer) return tl::unexpected(answer.error());
    const auto document = parse_answer(answer->body);
    if (!document) return tl::unexpected(document.error());
    if (settings.wants_document())
        print_document(answer->body, settings.format);
    else
        print(printable(text_of(*document, "level")) + "\n");
    return {};
}

}  // namespace keelson::cli
