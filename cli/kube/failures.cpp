#include "cli/kube/failures.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/output.h"

namespace keelson::cli::kube {
namespace {

std::string from_server(const Refusal& refusal) {
    const std::string text = refusal.context + refusal.message;
    if (refusal.reason == "Unauthorized") return "error: You must be logged in to the server (" + text + ")";
    if (!refusal.reason.empty()) return "Error from server (" + refusal.reason + "): " + text;
    return "Error from server: " + text;
}

std::string invalid(const Refusal& refusal) {
    std::string text = "The request is invalid";
    if (!refusal.kind.empty() || !refusal.name.empty())
        text = "The " + refusal.kind + " \"" + refusal.name + "\" is invalid";
    else if (!refusal.message.empty() && refusal.causes.empty())
        text += ": " + refusal.message;
    std::vector<std::string> causes;
    for (const Refusal::Cause& cause : refusal.causes) {
        const std::string line = cause.field + ": " + cause.message;
        if (std::find(causes.begin(), causes.end(), line) == causes.end()) causes.push_back(line);
    }
    if (causes.size() == 1) return text + ": " + causes.front();
    if (!causes.empty()) text += ": ";
    for (const std::string& cause : causes) text += "\n* " + cause;
    return text;
}

Failure failure_of(Refusal refusal) {
    Failure failure;
    failure.is_whole = true;
    failure.message = refusal.reason == "Invalid" ? invalid(refusal) : from_server(refusal);
    failure.refusal = std::make_shared<const Refusal>(std::move(refusal));
    return failure;
}

// Of an answer that is no Status: a proxy's, or plain text.
Refusal unstructured(const Answer& answer) {
    Refusal refusal{.code = answer.status};
    std::string text(answer.body.substr(0, answer.body.find('\n')));
    switch (answer.status) {
        case 401:
            refusal.reason = "Unauthorized";
            break;
        case 403:
            refusal.reason = "Forbidden";
            break;
        case 404:
            refusal.reason = "NotFound";
            break;
        case 405:
            refusal.reason = "MethodNotAllowed";
            break;
        case 406:
            refusal.reason = "NotAcceptable";
            break;
        case 503:
            refusal.reason = "ServiceUnavailable";
            break;
        default:
            refusal.reason = answer.status >= 500 ? "InternalError" : "";
    }
    if (answer.status == 404 && text.find("not found") != std::string::npos)
        text = "the server could not find the requested resource";
    refusal.message =
        text.empty() ? "the server answered " + std::to_string(answer.status) + " " + answer.reason : text;
    return refusal;
}

Refusal read_status(const Object& status, const Answer& answer) {
    Refusal refusal{
        .code = answer.status, .reason = text_at(status, "reason"), .message = text_at(status, "message")};
    const Object& details = member(status, "details");
    refusal.kind = text_at(details, "kind");
    refusal.name = text_at(details, "name");
    for (const Object& cause : member(details, "causes"))
        refusal.causes.push_back({text_at(cause, "field"), text_at(cause, "message")});
    return refusal;
}

}  // namespace

Failure refusal_of(const Answer& answer) {
    const Object status = Object::parse(answer.body, nullptr, false);
    if (status.is_object() && text_at(status, "kind") == "Status")
        return failure_of(read_status(status, answer));
    return failure_of(unstructured(answer));
}

Failure trouble_of(const Server& server, const Trouble& trouble) {
    switch (trouble.kind) {
        case Trouble::Kind::refused:
            return whole("The connection to the server " + server.authority_text() +
                         " was refused - did you specify the right host or port?");
        case Trouble::Kind::unknown_host:
            return whole("Unable to connect to the server: dial tcp: lookup " + server.host +
                         ": no such host");
        case Trouble::Kind::timeout: {
            Failure failure =
                whole("Unable to connect to the server: " + server.text() + " did not answer in time");
            failure.is_timeout = true;
            return failure;
        }
        case Trouble::Kind::untrusted:
            return whole(
                "Unable to connect to the server: tls: failed to verify certificate: " + trouble.text +
                "; name its authority with --certificate-authority or in the kubeconfig");
        default:
            return whole("Unable to connect to the server: " + trouble.text);
    }
}

Failure whole(std::string message, int code) {
    return {std::move(message), code, true};
}

Failure silent(int code) {
    return {"", code, true};
}

bool is_refused_as(const Failure& failure, std::string_view reason) {
    return failure.refusal && failure.refusal->reason == reason;
}

bool is_not_found(const Failure& failure) {
    return is_refused_as(failure, "NotFound");
}

Failure with_context(const Failure& failure, const std::string& context) {
    if (!failure.refusal) {
        Failure more = failure;
        more.message.insert(0, context);
        return more;
    }
    Refusal refusal = *failure.refusal;
    refusal.context = context + refusal.context;
    return failure_of(std::move(refusal));
}

std::string line_of(const Failure& failure) {
    return failure.refusal ? from_server(*failure.refusal) : failure.message;
}

Result<void> Failures::result() const {
    if (failures_.empty()) return {};
    if (failures_.size() == 1) return tl::unexpected(failures_.front());
    Failure all = silent(exit_failure);
    for (const Failure& failure : failures_)
        all.message += (all.message.empty() ? "" : "\n") + line_of(failure);
    return tl::unexpected(all);
}

void warn(const std::string& line) {
    std::fflush(stdout);
    std::fprintf(stderr, "%s\n", printable_lines(line).c_str());
}

}  // namespace keelson::cli::kube
