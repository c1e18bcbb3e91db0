#include "kernel/admin/connection.h"

#include <Poco/Exception.h>
#include <Poco/Net/Context.h>
#include <Poco/Net/HTTPServerParams.h>
#include <Poco/Net/HTTPServerRequestImpl.h>
#include <Poco/Net/HTTPServerResponseImpl.h>
#include <Poco/Net/HTTPServerSession.h>
#include <Poco/Net/NetException.h>
#include <Poco/Net/SecureStreamSocket.h>
#include <Poco/Net/StreamSocket.h>
#include <Poco/String.h>
#include <Poco/URI.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>

#include "kernel/admin/service.h"
#include "kernel/base/log.h"

namespace keelson::admin {
namespace {

using Poco::Net::HTTPServerParams;
using Poco::Net::HTTPServerRequestImpl;
using Poco::Net::HTTPServerResponseImpl;
using Poco::Net::HTTPServerSession;
using Poco::Net::StreamSocket;

Poco::Timespan timespan(std::chrono::milliseconds duration) {
    return {std::chrono::duration_cast<std::chrono::microseconds>(duration).count()};
}

// What is known of the client before it asks.
struct Peer {
    std::optional<Caller> caller;
    std::optional<access::ClientCertificate> certificate;
};

class RequestBody final : public BodySource {
  public:
    RequestBody(HTTPServerRequestImpl& request, HTTPServerResponseImpl& response, Connections::Entry& entry)
        : request_(request), response_(response), entry_(entry) {
        if (request.hasContentLength())
            length_ = static_cast<std::uint64_t>(request.getContentLength64());
        else if (!request.getChunkedTransferEncoding())
            length_ = 0;
        is_awaited_ = Poco::icompare(request.get("Expect", ""), "100-continue") == 0;
    }
    [[nodiscard]] std::optional<std::uint64_t> length() const override { return length_; }

    tl::expected<std::size_t, Problem> read(char* buffer, std::size_t size) override {
        if (is_consumed()) {
            entry_.clear_deadline();
            return 0;
        }
        if (std::exchange(is_awaited_, false)) response_.sendContinue();
        std::istream& stream = request_.stream();
        stream.read(buffer, static_cast<std::streamsize>(size));
        const auto count = static_cast<std::size_t>(stream.gcount());
        taken_ += count;
        is_ended_ = count == 0;
        if (is_consumed()) entry_.clear_deadline();
        if (stream.bad() || (is_ended_ && length_ && taken_ < *length_))
            return refuse(400, "the body ended after " + std::to_string(taken_) +
                                   " bytes, before it was complete: send it again, and faster");
        return count;
    }
    void limit_time(std::chrono::milliseconds limit) override { entry_.set_deadline(limit); }

    // Nothing of it is left in the connection.
    [[nodiscard]] bool is_consumed() const { return length_ ? taken_ == *length_ : is_ended_; }

  private:
    HTTPServerRequestImpl& request_;
    HTTPServerResponseImpl& response_;
    Connections::Entry& entry_;
    std::optional<std::uint64_t> length_;
    std::uint64_t taken_ = 0;
    bool is_awaited_ = false;
    bool is_ended_ = false;
};

class ResponseBody final : public BodySink {
  public:
    ResponseBody(std::ostream& stream, StreamSocket& socket) : stream_(stream), socket_(socket) {}
    bool write(std::string_view bytes) override {
        if (!bytes.empty()) stream_.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
        stream_.flush();
        return stream_.good();
    }
    // The request has been read whole: whatever comes now is the end.
    bool is_gone() override {
        return !stream_.good() || socket_.poll(Poco::Timespan(0), Poco::Net::Socket::SELECT_READ |
                                                                      Poco::Net::Socket::SELECT_ERROR);
    }

  private:
    std::ostream& stream_;
    StreamSocket& socket_;
};

tl::expected<void, Problem> check_head(const HTTPServerRequestImpl& head, const AdminLimits& limits) {
    std::size_t bytes = head.getURI().size();
    int lengths = 0;
    int hosts = 0;
    for (const auto& [name, value] : head) {
        bytes += name.size() + value.size() + 4;
        if (Poco::icompare(name, "Content-Length") == 0) ++lengths;
        if (Poco::icompare(name, "Host") == 0) ++hosts;
    }
    if (bytes > limits.header_bytes)
        return refuse(431, "the head of the request is longer than the limit of " +
                               std::to_string(limits.header_bytes) + " bytes");
    if (head.getVersion() != "HTTP/1.1" && head.getVersion() != "HTTP/1.0")
        return refuse(505, "this server speaks HTTP/1.1, not '" + head.getVersion() + "'");
    if (head.getVersion() == "HTTP/1.1" && hosts != 1)
        return refuse(400, "there must be one Host header, not " + std::to_string(hosts));
    const bool is_encoded = head.has("Transfer-Encoding");
    if (is_encoded && !head.getChunkedTransferEncoding())
        return refuse(400, "the only Transfer-Encoding taken is chunked");
    if (lengths > 1 || (is_encoded && lengths > 0))
        return refuse(400, "the length of the body is said more than once");
    const std::string length = head.get("Content-Length", "0");
    if (length.empty() || length.size() > 18 || length.find_first_not_of("0123456789") != std::string::npos)
        return refuse(400, "Content-Length must be a number of bytes, not '" + length + "'");
    return {};
}

tl::expected<void, Problem> read_target(Request& request) {
    const std::size_t question = request.target.find('?');
    try {
        Poco::URI::decode(request.target.substr(0, question), request.path);
        if (question == std::string::npos) return {};
        Poco::URI uri;
        uri.setRawQuery(request.target.substr(question + 1));
        request.query = uri.getQueryParameters();
        return {};
    } catch (const Poco::Exception& error) {
        return refuse(400, "the request target is not well-formed: " + error.displayText());
    }
}

Request make_request(const HTTPServerRequestImpl& head, const Peer& peer, BodySource& body) {
    Request request;
    request.method = head.getMethod();
    request.target = head.getURI();
    for (const auto& [name, value] : head) {
        std::string lower = name;
        std::ranges::transform(lower, lower.begin(),
                               [](unsigned char letter) { return std::tolower(letter); });
        request.headers.emplace(std::move(lower), value);
    }
    request.credentials.bearer_token = access::bearer_token(request.header("authorization"));
    request.credentials.certificate = peer.certificate;
    request.caller = peer.caller;
    request.source = &body;
    return request;
}

void send_head(const Answer& answer, HTTPServerResponseImpl& response) {
    response.setStatusAndReason(static_cast<Poco::Net::HTTPResponse::HTTPStatus>(answer.status),
                                std::string(status_title(answer.status)));
    if (answer.status != 204) response.setContentType(answer.content_type);
    response.set("Cache-Control", "no-store");
    for (const auto& [name, value] : answer.headers) response.set(name, value);
}

void send_answer(const Answer& answer, HTTPServerResponseImpl& response, HTTPServerSession& session) {
    send_head(answer, response);
    if (!answer.stream) {
        if (answer.status != 204) response.setContentLength64(static_cast<Poco::Int64>(answer.body.size()));
        std::ostream& stream = response.send();
        stream.write(answer.body.data(), static_cast<std::streamsize>(answer.body.size()));
        stream.flush();
        return;
    }
    if (answer.stream_bytes)
        response.setContentLength64(static_cast<Poco::Int64>(*answer.stream_bytes));
    else
        response.setChunkedTransferEncoding(response.getVersion() == "HTTP/1.1");
    ResponseBody sink(response.send(), session.socket());
    answer.stream(sink);
}

Answer answer_to(Context& context, HTTPServerRequestImpl& head, const Peer& peer, RequestBody& body) {
    if (auto good = check_head(head, context.parts.limits); !good) return answer_problem(good.error(), {});
    Request request = make_request(head, peer, body);
    if (auto good = read_target(request); !good) return answer_problem(good.error(), request.target);
    return serve(context, request);
}

// True: the connection may be used again.
bool serve_one(Context& context, Connections::Entry& entry, HTTPServerSession& session,
               HTTPServerParams& params, const Peer& peer) {
    HTTPServerResponseImpl response(session);
    HTTPServerRequestImpl head(response, session, &params);
    entry.set_idle(false);
    // What follows sets its own: a body has one, another room's work has none.
    entry.clear_deadline();
    const bool is_old = head.getVersion() == "HTTP/1.0";
    response.setVersion(is_old ? "HTTP/1.0" : "HTTP/1.1");
    RequestBody body(head, response, entry);
    const Answer answer = answer_to(context, head, peer, body);
    entry.set_deadline(context.parts.limits.transfer_timeout);
    const bool is_complete = !answer.stream || answer.stream_bytes;
    const bool keeps = head.getKeepAlive() && is_complete && body.is_consumed() &&
                       context.gate->stage() == Gate::Stage::open;
    response.setKeepAlive(keeps);
    session.setKeepAlive(keeps);
    // A trace has no end of its own.
    if (!is_complete) entry.clear_deadline();
    send_answer(answer, response, session);
    entry.set_idle(true);
    return keeps;
}

// Closing a socket with unread bytes in it resets the connection, and the client may lose the answer: what
// still comes is thrown away for a moment.
void linger(const StreamSocket& plain) {
    const int descriptor = plain.impl()->sockfd();
    ::shutdown(descriptor, SHUT_WR);
    const timeval pause{0, 500'000};
    ::setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &pause, sizeof pause);
    char bytes[16384];
    for (int i = 0; i < 256 && ::recv(descriptor, bytes, sizeof bytes, 0) > 0; ++i) {
    }
}

void refuse_head(HTTPServerSession& session, const std::string& cause) {
    HTTPServerResponseImpl response(session);
    response.setVersion("HTTP/1.1");
    response.setKeepAlive(false);
    session.setKeepAlive(false);
    send_answer(answer_problem({400, "the head of the request is not well-formed: " + cause}, {}), response,
                session);
}

void serve_requests(Context& context, Connections::Entry& entry, StreamSocket& socket, const Peer& peer) {
    const AdminLimits& limits = context.parts.limits;
    HTTPServerParams::Ptr params = new HTTPServerParams;
    params->setTimeout(timespan(limits.silence_timeout));
    params->setKeepAliveTimeout(timespan(limits.idle_timeout));
    socket.setSendTimeout(timespan(limits.silence_timeout));
    HTTPServerSession session(socket, params);
    bool goes_on = true;
    while (goes_on && context.gate->stage() == Gate::Stage::open && session.hasMoreRequests()) {
        entry.set_deadline(limits.head_timeout);
        try {
            goes_on = serve_one(context, entry, session, *params, peer);
        } catch (const Poco::Net::NoMessageException&) {
            return;
        } catch (const Poco::Net::MessageException& error) {
            refuse_head(session, error.displayText());
            goes_on = false;
        } catch (const Poco::SyntaxException& error) {
            refuse_head(session, error.displayText());
            goes_on = false;
        }
    }
}

std::optional<ucred> peer_of(const StreamSocket& socket) {
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(socket.impl()->sockfd(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        return std::nullopt;
    return peer;
}

// Whatever a connection throws ends that connection only.
template <typename Work>
void contain(Work work) {
    try {
        work();
    } catch (const Poco::Exception& error) {
        base::log_debug("an admin connection ended", {{"cause", error.displayText()}});
    } catch (const std::exception& error) {
        base::log_warning("an admin connection failed", {{"cause", error.what()}});
    } catch (...) {
        base::log_warning("an admin connection failed");
    }
}

}  // namespace

void serve_tls(Context& context, const std::shared_ptr<Connections>& connections, const TlsContext& tls,
               const StreamSocket& plain) {
    contain([&] {
        Connections::Entry entry(connections, plain.impl()->sockfd());
        entry.set_deadline(context.parts.limits.head_timeout);
        StreamSocket raw = plain;
        raw.setReceiveTimeout(timespan(context.parts.limits.silence_timeout));
        auto secure = Poco::Net::SecureStreamSocket::attach(raw, Poco::Net::Context::Ptr(tls.get(), true));
        if (secure.completeHandshake() != 1) return;
        serve_requests(context, entry, secure, {.caller = {}, .certificate = shown_certificate(secure)});
        linger(plain);
    });
}

void serve_local(Context& context, const std::shared_ptr<Connections>& connections,
                 const StreamSocket& socket) {
    contain([&] {
        Connections::Entry entry(connections, socket.impl()->sockfd());
        const auto peer = peer_of(socket);
        if (!peer) return;
        const bool is_admin = peer->uid == 0 || peer->uid == ::geteuid();
        StreamSocket own = socket;
        serve_requests(context, entry, own,
                       {.caller = Caller{"uid " + std::to_string(peer->uid), is_admin}, .certificate = {}});
        linger(socket);
    });
}

}  // namespace keelson::admin
