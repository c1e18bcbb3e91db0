// Port forwarding: pairs of SPDY streams, one for the bytes and one for what went wrong, each pair a
// connection to a port of the pod. kubectl wraps the SPDY frames into WebSocket messages where it can;
// libraries use the channels of a WebSocket instead (port_forward_channels.cpp).
#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "kernel/api/command_channels.h"
#include "kernel/api/port_pairs.h"
#include "kernel/api/spdy_connection.h"
#include "kernel/api/streams_handler.h"
#include "kernel/api/websocket.h"

namespace keelson::api {
namespace {

using base::Result;
using base::Task;
using resource::Call;

constexpr std::string_view kProtocol = "portforward.k8s.io";
constexpr std::string_view kTunnel = "SPDY/3.1+portforward.k8s.io";
// Of one connection to an API server: more streams are refused until others have ended.
constexpr std::size_t kMostPairs = 512;

// SPDY frames as the content of WebSocket messages, whose borders mean nothing.
class Tunnel final : public ByteStream {
  public:
    explicit Tunnel(ByteStream& bytes) : socket_(bytes) {}

    [[nodiscard]] IoLoop& loop() override { return socket_.bytes().loop(); }
    Task<std::string_view> read() override {
        do {
            auto receiving = socket_.receive();
            std::optional<WebSocketMessage> message = co_await receiving;
            if (!message) co_return std::string_view();
            message_ = std::move(message->data);
        } while (message_.empty());
        co_return std::string_view(message_);
    }
    Task<bool> write(std::string_view data) override { return socket_.send(WebSocketKind::binary, data); }
    void end_reading() override { socket_.bytes().end_reading(); }
    void on_lost(std::function<void()> callback) override { socket_.bytes().on_lost(std::move(callback)); }
    Task<void> close() { return socket_.close(); }

  private:
    WebSocket socket_;
    std::string message_;
};

class SpdyForwarding final : public PortPairs {
  public:
    SpdyForwarding(ByteStream& bytes, node::NodeStreams& streams, node::ContainerQuery query)
        : PortPairs(bytes.loop(), streams, std::move(query)), spdy_(bytes) {}

    Task<void> run() {
        spdy_.bytes().on_lost([this] { end_all(); });
        while (!is_lost()) {
            auto receiving = spdy_.next();
            std::optional<SpdyFrame> frame = co_await receiving;
            if (!frame) break;
            if (frame->kind == SpdyKind::syn_stream) {
                auto opening = open(*frame);
                const bool is_there = co_await opening;
                if (!is_there) break;
            } else if (frame->kind == SpdyKind::reset) {
                reset(frame->stream);
            } else {
                take(frame->stream, std::move(frame->data), frame->is_final);
            }
            auto waiting = wait_for_room();
            co_await waiting;
        }
        end_all();
        auto ending = wait_until_ended();
        co_await ending;
        spdy_.bytes().on_lost({});
    }

  private:
    Task<bool> send(std::uint32_t stream, std::string_view data, bool is_final) override {
        return spdy_.send(stream, data, is_final);
    }

    // False: the client is gone.
    Task<bool> open(const SpdyFrame& frame) {
        const auto port = port_of(frame.header("port"));
        const std::string_view type = frame.header("streamtype");
        const bool is_error = type == "error";
        if (!port || (!is_error && type != "data") || frame.stream == 0 || has(frame.stream) ||
            stream_count() >= 2 * kMostPairs)
            return spdy_.refuse(frame.stream);
        // Clients of old name no request: their data stream follows the error stream.
        std::string request(frame.header("requestid"));
        if (request.empty()) request = std::to_string(is_error ? frame.stream : frame.stream - 2);
        PortPairPointer& pair = by_request_[request];
        if (!pair) pair = std::make_shared<PortPair>();
        std::uint32_t& place = is_error ? pair->error_stream : pair->data_stream;
        if (place != 0) return spdy_.refuse(frame.stream);
        place = frame.stream;
        pair->port = *port;
        add(frame.stream, pair);
        PortPairPointer complete;
        if (pair->error_stream != 0 && pair->data_stream != 0) {
            complete = std::move(pair);
            by_request_.erase(request);
        }
        return accept(frame.stream, std::move(complete));
    }

    Task<bool> accept(std::uint32_t stream, PortPairPointer complete) {
        auto accepting = spdy_.accept(stream);
        const bool is_there = co_await accepting;
        if (is_there && complete) start(std::move(complete));
        co_return is_there;
    }

    SpdyConnection spdy_;
    std::map<std::string, PortPairPointer> by_request_;  // whose other half has not come yet
};

Task<Result<void>> forward_over_tunnel(Exchange& exchange, node::NodeStreams& streams,
                                       node::ContainerQuery query) {
    KEELSON_CO_TRY(std::vector<Header> headers, websocket_answer(exchange.request(), kTunnel));
    auto upgrading = exchange.upgrade(std::move(headers));
    KEELSON_CO_TRY(ByteStream * bytes, co_await upgrading);
    Tunnel tunnel(*bytes);
    SpdyForwarding forwarding(tunnel, streams, std::move(query));
    auto running = forwarding.run();
    co_await running;
    auto closing = tunnel.close();
    co_await closing;
    co_return base::ok();
}

Task<Result<void>> forward_over_spdy(Exchange& exchange, node::NodeStreams& streams,
                                     node::ContainerQuery query) {
    const Request& request = exchange.request();
    KEELSON_CO_TRY(const std::string protocol,
                   choose_protocol(listed_values(request, "X-Stream-Protocol-Version"), {kProtocol}));
    auto upgrading = upgrade_to_spdy(exchange, std::string(kProtocol));
    KEELSON_CO_TRY(ByteStream * bytes, co_await upgrading);
    SpdyForwarding forwarding(*bytes, streams, std::move(query));
    auto running = forwarding.run();
    co_await running;
    co_return base::ok();
}

bool offers_tunnel(const Request& request) {
    const std::vector<std::string> offered = listed_values(request, "Sec-WebSocket-Protocol");
    return std::ranges::find(offered, kTunnel) != offered.end();
}

Task<Result<void>> serve_here(Exchange& exchange, const NodeGate::Node& node, node::ContainerQuery query) {
    const bool is_websocket = asks_for_websocket(exchange.request());
    if (!is_websocket && !asks_for_spdy(exchange.request())) co_return upgrade_required();
    const auto forward = !is_websocket                       ? forward_over_spdy
                         : offers_tunnel(exchange.request()) ? forward_over_tunnel
                                                             : forward_over_channels;
    auto forwarding = forward(exchange, node.streams, std::move(query));
    co_return co_await forwarding;
}

}  // namespace

Task<void> serve_port_forward(Exchange& exchange, StreamParts parts, const Call& call) {
    object::Arena arena;
    Result<PodTarget> target = find_pod(parts.lookup, call, arena);
    if (target && target->node.empty()) target = no_host(*target);
    if (!target) {
        refuse_stream(exchange, target.error());
        co_return;
    }
    if (const NodeGate::Node* node = parts.nodes.find(target->node)) {
        auto serving = serve_port_forward_here(exchange, *node, target->query);
        co_await serving;
        co_return;
    }
    auto passing = pass_to_node(exchange, parts, target->node,
                                node_path(exchange.request(), "portForward", target->query), refuse_backend);
    co_await passing;
}

Task<void> serve_port_forward_here(Exchange& exchange, const NodeGate::Node& node,
                                   node::ContainerQuery query) {
    auto serving = serve_here(exchange, node, std::move(query));
    const Result<void> served = co_await serving;
    if (!served) refuse_stream(exchange, served.error());
}

}  // namespace keelson::api
