#include "cli/kube/api.h"

#include <nlohmann/json.hpp>

namespace keelson::cli::kube {
namespace {

constexpr std::int64_t kVerboseCalls = 6;
constexpr std::int64_t kVerboseBodies = 8;

// The text of `299 - "text"`.
std::string warning_text(const std::string& header) {
    const std::size_t begin = header.find('"');
    const std::size_t end = header.rfind('"');
    if (begin == std::string::npos || end == begin) return header;
    std::string text;
    for (std::size_t i = begin + 1; i < end; ++i) {
        if (header[i] == '\\' && i + 1 < end) ++i;
        text += header[i];
    }
    return text;
}

}  // namespace

std::string path_with_query(const std::string& path, const Query& query) {
    std::string text = path;
    for (const auto& [name, value] : query)
        text += (text.find('?') == std::string::npos ? "?" : "&") + encode_segment(name) + "=" +
                encode_segment(value);
    return text;
}

void Api::pass_warnings_on(const Answer& answer) {
    for (const std::string& warning : answer.warnings) warn("Warning: " + warning_text(warning));
    warnings_ += static_cast<int>(answer.warnings.size());
}

Result<Answer> Api::exchange_with(const ApiCall& call, const PieceSink& sink,
                                  std::chrono::milliseconds patience) {
    Call request{.method = call.method, .path = path_with_query(call.path, call.query), .body = call.body};
    request.headers["Accept"] = call.accept;
    if (!call.body.empty()) request.headers["Content-Type"] = call.content_type;
    request.patience = patience;
    auto answer = exchange(server_, request, sink);
    if (verbosity_ >= kVerboseCalls)
        warn(call.method + " " + server_.text() + request.path + " " +
             (answer ? std::to_string(answer->status) + " " + answer->reason : answer.error().text));
    if (!answer) return tl::unexpected(trouble_of(server_, answer.error()));
    if (verbosity_ >= kVerboseBodies) warn("Request Body: " + call.body + "\nResponse Body: " + answer->body);
    pass_warnings_on(*answer);
    if (answer->status >= 400) return tl::unexpected(refusal_of(*answer));
    return std::move(*answer);
}

Result<Answer> Api::send(const ApiCall& call) {
    return exchange_with(call, {}, patience_);
}

Result<Object> Api::ask(const ApiCall& call) {
    const auto answer = send(call);
    if (!answer) return pass_on(answer);
    return parse_object(answer->body, "the server's answer");
}

Result<void> Api::stream(const ApiCall& call, const PieceSink& sink, std::chrono::milliseconds patience) {
    const auto answer = exchange_with(call, sink, patience.count() > 0 ? patience : patience_);
    if (!answer) return pass_on(answer);
    return {};
}

}  // namespace keelson::cli::kube
