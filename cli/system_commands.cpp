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
        request.body = Json{{"level", level}}.dump(-1, ' ', false, Json::error_handler_t::replace);
    }
    const auto answer = call(*server, request);
    if (!answer) return tl::unexpected(answer.error());
    const auto document = parse_answer(answer->body);
    if (!document) return tl::unexpected(document.error());
    if (settings.wants_json)
        print_document(answer->body);
    else
        print(printable(text_of(*document, "level")) + "\n");
    return {};
}

}  // namespace keelson::cli
