#include "cli/streams/duplex.h"

#include <Poco/Buffer.h>
#include <Poco/Exception.h>
#include <Poco/Net/HTTPClientSession.h>
#include <Poco/Net/HTTPResponse.h>
#include <Poco/Net/StreamSocket.h>
#include <openssl/rand.h>
#include <poll.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <optional>
#include <utility>

#include "cli/http_session.h"
#include "kernel/base/base64.h"

namespace keelson::cli::streams {
namespace {

using Poco::Net::HTTPResponse;
using Poco::Net::StreamSocket;

constexpr std::size_t kPiece = 16u << 10;
constexpr std::size_t kMostAtOnce = 1u << 20;
constexpr std::size_t kKeyBytes = 16;

class SocketDuplex final : public Duplex {
  public:
    SocketDuplex(const StreamSocket& socket, std::string first) : socket_(socket), first_(std::move(first)) {
        socket_.setBlocking(false);
        socket_.setNoDelay(true);
    }

    [[nodiscard]] int descriptor() const override { return socket_.impl()->sockfd(); }

    Result<bool> receive(std::string& in) override {
        in += std::exchange(first_, {});
        bool goes_on = true;
        const auto done = guarded([&] { goes_on = take(in); });
        if (!done) return fail("the connection broke: " + done.error().text);
        return goes_on;
    }

    void queue(std::string_view bytes) override { waiting_ += bytes; }

    Result<void> send() override {
        const auto done = guarded([&] {
            while (unsent() > 0 && give()) {
            }
        });
        if (!done) return fail("the connection broke: " + done.error().text);
        return {};
    }

    [[nodiscard]] std::size_t unsent() const override { return waiting_.size() + leaving_.size(); }

  private:
    // Below 0 when it would have to wait: a plain socket says so, one with TLS reports that its patience,
    // which is none, has come to its end.
    template <typename Work>
    static int now(Work work) {
        try {
            return work();
        } catch (const Poco::TimeoutException&) {
            return -1;
        }
    }

    // False at the peer's end.
    bool take(std::string& in) {
        std::array<char, kPiece> piece{};
        for (std::size_t taken = 0; taken < kMostAtOnce;) {
            const int count =
                now([&] { return socket_.receiveBytes(piece.data(), static_cast<int>(piece.size())); });
            if (count == 0) return false;
            if (count < 0) return true;  // nothing more has come
            in.append(piece.data(), static_cast<std::size_t>(count));
            taken += static_cast<std::size_t>(count);
        }
        return true;
    }

    // TLS wants the same bytes again when it could not send them: they stay where they are until then.
    bool give() {
        if (leaving_.empty()) {
            leaving_ = waiting_.substr(0, kPiece);
            waiting_.erase(0, leaving_.size());
        }
        const int count =
            now([&] { return socket_.sendBytes(leaving_.data(), static_cast<int>(leaving_.size())); });
        if (count <= 0) return false;
        if (static_cast<std::size_t>(count) == leaving_.size())
            leaving_.clear();
        else
            leaving_.erase(0, static_cast<std::size_t>(count));
        return true;
    }

    StreamSocket socket_;
    std::string first_;    // came with the answer
    std::string waiting_;  // to be sent after `leaving_`
    std::string leaving_;
};

std::string fresh_key() {
    std::array<unsigned char, kKeyBytes> bytes{};
    RAND_bytes(bytes.data(), static_cast<int>(bytes.size()));
    return base::base64_encode({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

Call upgrade_call(const kube::ApiCall& call, const std::vector<std::string>& protocols) {
    std::string list;
    for (const std::string& protocol : protocols) list += (list.empty() ? "" : ", ") + protocol;
    Call request{.method = "GET", .path = kube::path_with_query(call.path, call.query)};
    request.headers = {{"Connection", "Upgrade"},
                       {"Upgrade", "websocket"},
                       {"Sec-WebSocket-Version", "13"},
                       {"Sec-WebSocket-Key", fresh_key()},
                       {"Sec-WebSocket-Protocol", list}};
    return request;
}

Answer refused(const HTTPResponse& response, std::istream& body) {
    Answer answer;
    answer.status = response.getStatus();
    answer.reason = response.getReason();
    answer.body.assign(std::istreambuf_iterator<char>(body), {});
    return answer;
}

}  // namespace

std::unique_ptr<Duplex> make_duplex(const StreamSocket& socket, std::string first) {
    return std::make_unique<SocketDuplex>(socket, std::move(first));
}

namespace {

struct Way {
    Duplex& from;
    Duplex& to;
    bool is_open = true;
    bool may_have_more = false;  // read already from the connection, where poll() does not see it

    // Not more than the other side takes.
    [[nodiscard]] bool may_read() const { return is_open && to.unsent() < kMostAtOnce; }

    Result<void> move() {
        std::string piece;
        const auto goes_on = from.receive(piece);
        if (!goes_on) return pass_on(goes_on);
        to.queue(piece);
        may_have_more = piece.size() >= kMostAtOnce;
        is_open = *goes_on;
        return to.send();
    }
};

}  // namespace

Result<void> relay(Duplex& one, Duplex& other) {
    std::array<Way, 2> ways{Way{one, other}, Way{other, one}};
    // What was read ahead of the connection leaves at once; poll() does not know of it.
    for (Way& way : ways)
        if (auto moved = way.move(); !moved) return moved;
    // The end of either side ends the other, once what came before it has left.
    while ((ways[0].is_open && ways[1].is_open) || one.unsent() + other.unsent() > 0) {
        std::array<pollfd, 2> watched{};
        bool waits = true;
        for (std::size_t i = 0; i < ways.size(); ++i) {
            const bool reads = ways[i].may_read();
            waits = waits && !(reads && ways[i].may_have_more);
            const bool writes = ways[i].from.unsent() > 0;
            watched[i] = {ways[i].from.descriptor(),
                          static_cast<short>((reads ? POLLIN : 0) | (writes ? POLLOUT : 0)), 0};
        }
        if (::poll(watched.data(), watched.size(), waits ? -1 : 0) < 0 && errno != EINTR)
            return fail(std::string("poll: ") + std::strerror(errno));
        for (std::size_t i = 0; i < ways.size(); ++i) {
            if ((watched[i].revents & (POLLERR | POLLHUP)) != 0 && (watched[i].revents & POLLIN) == 0)
                return {};
            if ((watched[i].revents & POLLOUT) != 0)
                if (auto sent = ways[i].from.send(); !sent) return sent;
            const bool has_some = (watched[i].revents & POLLIN) != 0 || ways[i].may_have_more;
            if (has_some && ways[i].may_read())
                if (auto moved = ways[i].move(); !moved) return moved;
        }
    }
    return {};
}

Result<Upgraded> open_websocket(kube::Api& api, const kube::ApiCall& call,
                                const std::vector<std::string>& protocols) {
    Upgraded upgraded;
    std::optional<Answer> refusal;
    const auto done = guarded([&] {
        const Call request = upgrade_call(call, protocols);
        const auto session = open_session(api.server(), api.patience());
        // Else the session would put its own Connection header in the place of the upgrade's.
        session->setKeepAlive(true);
        auto head = make_request(api.server(), request);
        session->sendRequest(head).flush();
        HTTPResponse response;
        std::istream& body = session->receiveResponse(response);
        if (response.getStatus() != HTTPResponse::HTTP_SWITCHING_PROTOCOLS) {
            refusal = refused(response, body);
            return;
        }
        upgraded.protocol = response.get("Sec-WebSocket-Protocol", "");
        Poco::Buffer<char> early(0);
        session->drainBuffer(early);
        std::string first(early.begin(), early.size());
        upgraded.duplex = std::make_unique<SocketDuplex>(session->detachSocket(), std::move(first));
    });
    if (!done) return tl::unexpected(kube::trouble_of(api.server(), done.error()));
    if (refusal) return tl::unexpected(kube::refusal_of(*refusal));
    return upgraded;
}

}  // namespace keelson::cli::streams
