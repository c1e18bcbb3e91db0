#include "cli/http.h"

#include <Poco/Net/HTTPClientSession.h>
#include <Poco/Net/HTTPRequest.h>
#include <Poco/Net/HTTPResponse.h>
#include <Poco/String.h>
#include <Poco/URI.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "cli/http_session.h"

namespace keelson::cli {
namespace {

using Poco::Net::HTTPClientSession;
using Poco::Net::HTTPRequest;
using Poco::Net::HTTPResponse;

constexpr std::size_t kPiece = 64u << 10;
constexpr std::size_t kLongestDocument = 512u << 20;

Answer read_head(const HTTPResponse& response) {
    Answer answer;
    answer.status = response.getStatus();
    answer.reason = response.getReason();
    for (const auto& [name, value] : response) {
        const std::string lower = Poco::toLower(name);
        if (lower == "warning") answer.warnings.push_back(value);
        answer.headers[lower] = value;
    }
    return answer;
}

// False when the sink has had enough.
bool read_body(std::istream& stream, const PieceSink& sink) {
    std::vector<char> piece(kPiece);
    // peek() waits for something, readsome() takes no more than has come.
    while (stream.peek() != std::istream::traits_type::eof()) {
        const std::streamsize count = stream.readsome(piece.data(), static_cast<std::streamsize>(kPiece));
        if (!sink({piece.data(), static_cast<std::size_t>(count)})) return false;
    }
    return true;
}

std::string read_text(std::istream& stream) {
    std::string text;
    read_body(stream, [&text](std::string_view piece) {
        text += piece;
        return text.size() <= kLongestDocument;
    });
    return text;
}

Answer receive(HTTPClientSession& session, HTTPResponse& response, const PieceSink& sink) {
    std::istream& stream = session.receiveResponse(response);
    Answer answer = read_head(response);
    if (answer.status >= 400 || !sink)
        answer.body = read_text(stream);
    else if (!read_body(stream, sink))
        return answer;
    // A body that was cut is no body.
    if (session.networkException()) session.networkException()->rethrow();
    return answer;
}

Answer send(const Server& server, const Call& call, const PieceSink& sink) {
    const auto session = open_session(server, call.patience);
    HTTPRequest request = make_request(server, call);
    if (!call.body.empty() && !request.has("Content-Type")) request.setContentType("application/json");
    if (!call.body.empty() || call.method != "GET")
        request.setContentLength64(static_cast<Poco::Int64>(call.body.size()));
    session->sendRequest(request) << call.body << std::flush;
    HTTPResponse response;
    return receive(*session, response, sink);
}

bool send_file(std::ostream& to, std::istream& from, std::uint64_t size, const SentSink& sent) {
    std::vector<char> piece(kPiece);
    for (std::uint64_t done = 0; done < size && to.good();) {
        from.read(piece.data(), static_cast<std::streamsize>(std::min<std::uint64_t>(size - done, kPiece)));
        if (from.gcount() == 0) return false;
        to.write(piece.data(), from.gcount());
        done += static_cast<std::uint64_t>(from.gcount());
        sent(done);
    }
    to.flush();
    return true;
}

// Nothing when the file became shorter.
std::optional<Answer> send_upload(const Server& server, const Call& call, std::istream& body,
                                  std::uint64_t size, const SentSink& sent) {
    const auto session = open_session(server, call.patience);
    HTTPRequest request = make_request(server, call);
    request.setContentType("application/octet-stream");
    request.setContentLength64(static_cast<Poco::Int64>(size));
    // A refusal is read before anything is sent; without this it may be lost behind a broken pipe.
    request.setExpectContinue(true);
    std::ostream& stream = session->sendRequest(request);
    HTTPResponse response;
    if (session->peekResponse(response) && !send_file(stream, body, size, sent)) return std::nullopt;
    return receive(*session, response, {});
}

Failure refusal(const Answer& answer) {
    const auto problem = nlohmann::json::parse(answer.body, nullptr, false);
    if (problem.is_object()) {
        const auto detail = problem.find("detail");
        if (detail != problem.end() && detail->is_string()) return {detail->get<std::string>()};
    }
    return {"the server answered " + std::to_string(answer.status) + " " + answer.reason};
}

// As a line that helps.
Failure explain(const Server& server, const Trouble& trouble) {
    switch (trouble.kind) {
        case Trouble::Kind::untrusted:
            return {"the server at " + server.text() + " cannot be trusted: " + trouble.text +
                    "; name the authority of its certificate with --ca-file (here: " + server.ca_file + ")"};
        case Trouble::Kind::timeout:
            return {"the server at " + server.text() + " did not answer in time"};
        default:
            return {"the server at " + server.text() + " cannot be reached: " + trouble.text +
                    "; is keelsond running? Say where it is with --data-dir DIR or --admin URL"};
    }
}

Result<Answer> accepted(const Server& server, tl::expected<Answer, Trouble> answer) {
    if (!answer) return tl::unexpected(explain(server, answer.error()));
    if (answer->status >= 400) return tl::unexpected(refusal(*answer));
    return std::move(*answer);
}

}  // namespace

std::string Server::authority_text() const {
    const bool is_v6 = host.find(':') != std::string::npos;
    return (is_v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::string Server::text() const {
    if (!socket_path.empty()) return socket_path;
    return (is_plain ? "http://" : "https://") + authority_text() + base_path;
}

tl::expected<Answer, Trouble> exchange(const Server& server, const Call& call, const PieceSink& sink) {
    Answer answer;
    const auto done = guarded([&] { answer = send(server, call, sink); });
    if (!done) return tl::unexpected(done.error());
    return answer;
}

Result<Answer> call(const Server& server, const Call& call) {
    return accepted(server, exchange(server, call, {}));
}

Result<Answer> download(const Server& server, const Call& call, const PieceSink& sink) {
    return accepted(server, exchange(server, call, sink));
}

Result<Answer> upload(const Server& server, const Call& call, std::istream& body, std::uint64_t size,
                      const SentSink& sent) {
    std::optional<Answer> answer;
    const auto done = guarded([&] { answer = send_upload(server, call, body, size, sent); });
    if (!done) return tl::unexpected(explain(server, done.error()));
    if (!answer) return fail("the file became shorter while it was sent: nothing was changed");
    return accepted(server, std::move(*answer));
}

std::string encode_segment(std::string_view text) {
    std::string encoded;
    Poco::URI::encode(std::string(text), "/?#&=+:@%;", encoded);
    return encoded;
}

}  // namespace keelson::cli
