#include "cli/http.h"

#include <Poco/Exception.h>
#include <Poco/Net/Context.h>
#include <Poco/Net/HTTPClientSession.h>
#include <Poco/Net/HTTPRequest.h>
#include <Poco/Net/HTTPResponse.h>
#include <Poco/Net/HTTPSClientSession.h>
#include <Poco/Net/NetException.h>
#include <Poco/Net/SSLException.h>
#include <Poco/Net/SocketAddress.h>
#include <Poco/Net/StreamSocket.h>
#include <Poco/String.h>
#include <Poco/URI.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

namespace keelson::cli {
namespace {

using Poco::Net::Context;
using Poco::Net::HTTPClientSession;
using Poco::Net::HTTPRequest;
using Poco::Net::HTTPResponse;
using Session = std::unique_ptr<HTTPClientSession>;

constexpr std::size_t kPiece = 64u << 10;
constexpr std::size_t kLongestDocument = 64u << 20;
const Poco::Timespan kConnectTimeout(5, 0);

Poco::Timespan timespan(std::chrono::seconds duration) {
    return {static_cast<long>(duration.count()), 0};
}

Session open_socket(const Server& server, const Call& call) {
    using Poco::Net::SocketAddress;
    Poco::Net::StreamSocket socket;
    socket.connect(SocketAddress(SocketAddress::UNIX_LOCAL, server.socket_path), kConnectTimeout);
    socket.setReceiveTimeout(timespan(call.patience));
    socket.setSendTimeout(timespan(call.patience));
    // Made from the connected socket: made from the address, a session asks it for a host, which it lacks.
    return std::make_unique<HTTPClientSession>(socket);
}

Session open_tls(const Server& server, const Call& call) {
    Context::Ptr context = new Context(Context::TLS_CLIENT_USE, server.ca_file, Context::VERIFY_STRICT);
    context->disableProtocols(Context::PROTO_SSLV2 | Context::PROTO_SSLV3 | Context::PROTO_TLSV1 |
                              Context::PROTO_TLSV1_1);
    auto session = std::make_unique<Poco::Net::HTTPSClientSession>(server.host, server.port, context);
    session->setTimeout(kConnectTimeout, timespan(call.patience), timespan(call.patience));
    return session;
}

Session open_session(const Server& server, const Call& call) {
    return server.socket_path.empty() ? open_tls(server, call) : open_socket(server, call);
}

HTTPRequest make_request(const Server& server, const Call& call) {
    HTTPRequest request(call.method, call.path, HTTPRequest::HTTP_1_1);
    if (server.socket_path.empty())
        request.setHost(server.host, server.port);
    else
        request.setHost("localhost");
    if (!server.token.empty()) request.set("Authorization", "Bearer " + server.token);
    request.set("User-Agent", "keelctl/" KEELSON_VERSION);
    request.setKeepAlive(false);
    for (const auto& [name, value] : call.headers) request.set(name, value);
    return request;
}

Answer read_head(const HTTPResponse& response) {
    Answer answer;
    answer.status = response.getStatus();
    for (const auto& [name, value] : response) answer.headers[Poco::toLower(name)] = value;
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

Failure refusal(const Answer& answer, const std::string& reason) {
    const auto problem = nlohmann::json::parse(answer.body, nullptr, false);
    if (problem.is_object()) {
        const auto detail = problem.find("detail");
        if (detail != problem.end() && detail->is_string()) return {detail->get<std::string>()};
    }
    return {"the server answered " + std::to_string(answer.status) + " " + reason};
}

Result<Answer> receive(HTTPClientSession& session, HTTPResponse& response, const PieceSink& sink) {
    std::istream& stream = session.receiveResponse(response);
    Answer answer = read_head(response);
    if (answer.status >= 400 || !sink) {
        answer.body = read_text(stream);
        if (answer.status >= 400) return tl::unexpected(refusal(answer, response.getReason()));
        return answer;
    }
    if (read_body(stream, sink) && session.networkException()) session.networkException()->rethrow();
    return answer;
}

Result<Answer> send(const Server& server, const Call& call, const PieceSink& sink) {
    const Session session = open_session(server, call);
    HTTPRequest request = make_request(server, call);
    if (!call.body.empty()) request.setContentType("application/json");
    if (!call.body.empty() || call.method != "GET")
        request.setContentLength64(static_cast<Poco::Int64>(call.body.size()));
    session->sendRequest(request) << call.body << std::flush;
    HTTPResponse response;
    return receive(*session, response, sink);
}

bool send_file(std::ostream& to, std::istream& from, std::uint64_t size) {
    std::vector<char> piece(kPiece);
    while (size > 0 && to.good()) {
        from.read(piece.data(), static_cast<std::streamsize>(std::min<std::uint64_t>(size, kPiece)));
        if (from.gcount() == 0) return false;
        to.write(piece.data(), from.gcount());
        size -= static_cast<std::uint64_t>(from.gcount());
    }
    to.flush();
    return true;
}

Result<Answer> send_upload(const Server& server, const Call& call, std::istream& body, std::uint64_t size) {
    const Session session = open_session(server, call);
    HTTPRequest request = make_request(server, call);
    request.setContentType("application/octet-stream");
    request.setContentLength64(static_cast<Poco::Int64>(size));
    // A refusal is read before anything is sent; without this it may be lost behind a broken pipe.
    request.setExpectContinue(true);
    std::ostream& stream = session->sendRequest(request);
    HTTPResponse response;
    if (session->peekResponse(response) && !send_file(stream, body, size))
        return fail("the file became shorter while it was sent: nothing was changed");
    return receive(*session, response, {});
}

// What the library throws, as a line that helps.
template <typename Work>
Result<Answer> guarded(const Server& server, Work work) {
    try {
        return work();
    } catch (const Poco::Net::SSLException& error) {
        return fail("the server at " + server.text() + " cannot be trusted: " + error.displayText() +
                    "; name the authority of its certificate with --ca-file (here: " + server.ca_file + ")");
    } catch (const Poco::TimeoutException&) {
        return fail("the server at " + server.text() + " did not answer in time");
    } catch (const Poco::Exception& error) {
        return fail("the server at " + server.text() + " cannot be reached: " + error.displayText() +
                    "; is keelsond running? Say where it is with --data-dir DIR or --admin URL");
    }
}

}  // namespace

std::string Server::text() const {
    if (!socket_path.empty()) return socket_path;
    const bool is_v6 = host.find(':') != std::string::npos;
    return "https://" + (is_v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<Answer> call(const Server& server, const Call& call) {
    return guarded(server, [&] { return send(server, call, {}); });
}

Result<Answer> download(const Server& server, const Call& call, const PieceSink& sink) {
    return guarded(server, [&] { return send(server, call, sink); });
}

Result<Answer> upload(const Server& server, const Call& call, std::istream& body, std::uint64_t size) {
    return guarded(server, [&] { return send_upload(server, call, body, size); });
}

std::string encode_segment(std::string_view text) {
    std::string encoded;
    Poco::URI::encode(std::string(text), "/?#&=+:@%", encoded);
    return encoded;
}

}  // namespace keelson::cli
