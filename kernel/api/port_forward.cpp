// Port forwarding: pairs of SPDY streams, one for the bytes and one for what went wrong, each pair a
// connection to a port of the pod. kubectl wraps the SPDY frames into WebSocket messages where it can.
#include <charconv>
#include <deque>
#include <map>
#include <memory>
#include <utility>

#include "kernel/api/command_channels.h"
#include "kernel/api/loop_file.h"
#include "kernel/api/signal.h"
#include "kernel/api/spdy_connection.h"
#include "kernel/api/streams_handler.h"
#include "kernel/api/websocket.h"

namespace keelson::api {
namespace {

using base::FileDescriptor;
using base::Result;
using base::Status;
using base::Task;
using resource::Call;

constexpr std::string_view kProtocol = "portforward.k8s.io";
constexpr std::string_view kTunnel = "SPDY/3.1+portforward.k8s.io";
constexpr std::size_t kPiece = 32 << 10;
// Of one connection to an API server: more streams are refused until others have ended.
constexpr std::size_t kMostPairs = 512;
// What has come for the pod and was not taken there yet, of all streams together.
constexpr std::size_t kBufferLimit = 4 << 20;

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

struct Pair {
    std::uint32_t data_stream = 0;
    std::uint32_t error_stream = 0;
    std::uint16_t port = 0;
    std::shared_ptr<LoopFile> file;
    std::deque<std::string> to_pod;
    Signal changed;
    bool client_ended = false;  // no more comes for the pod
    bool is_over = false;       // nobody is interested any more
};
using PairPointer = std::shared_ptr<Pair>;

std::optional<std::uint16_t> port_of(std::string_view text) {
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc() || end != text.data() + text.size() || port == 0) return std::nullopt;
    return port;
}

// Lives as long as the task that runs it; all of its pairs end before that.
class Forwarding {
  public:
    Forwarding(ByteStream& bytes, node::NodeStreams& streams, node::ContainerQuery query)
        : spdy_(bytes), streams_(streams), query_(std::move(query)) {}

    Task<void> run() {
        spdy_.bytes().on_lost([this] { end_all(); });
        while (!is_lost_) {
            auto receiving = spdy_.next();
            std::optional<SpdyFrame> frame = co_await receiving;
            if (!frame) break;
            if (frame->kind == SpdyKind::syn_stream) {
                auto opening = open(*frame);
                const bool is_there = co_await opening;
                if (!is_there) break;
            } else {
                take(std::move(*frame));
            }
            while (buffered_ > kBufferLimit && !is_lost_) {
                auto waiting = room_.wait();
                co_await waiting;
            }
        }
        end_all();
        while (running_ > 0) {
            auto waiting = ended_.wait();
            co_await waiting;
        }
        spdy_.bytes().on_lost({});
    }

  private:
    void end_all() {
        is_lost_ = true;
        for (const auto& [stream, pair] : by_stream_) end(*pair);
        room_.raise();
    }

    // False: the client is gone.
    Task<bool> open(const SpdyFrame& frame) {
        const auto port = port_of(frame.header("port"));
        const std::string_view type = frame.header("streamtype");
        const bool is_error = type == "error";
        if (!port || (!is_error && type != "data") || frame.stream == 0 ||
            by_stream_.contains(frame.stream) || by_stream_.size() >= 2 * kMostPairs)
            return spdy_.refuse(frame.stream);
        // Clients of old name no request: their data stream follows the error stream.
        std::string request(frame.header("requestid"));
        if (request.empty()) request = std::to_string(is_error ? frame.stream : frame.stream - 2);
        PairPointer& pair = by_request_[request];
        if (!pair) pair = std::make_shared<Pair>();
        std::uint32_t& place = is_error ? pair->error_stream : pair->data_stream;
        if (place != 0) return spdy_.refuse(frame.stream);
        place = frame.stream;
        pair->port = *port;
        by_stream_[frame.stream] = pair;
        PairPointer complete;
        if (pair->error_stream != 0 && pair->data_stream != 0) {
            complete = std::move(pair);
            by_request_.erase(request);
        }
        return accept(frame.stream, std::move(complete));
    }

    Task<bool> accept(std::uint32_t stream, PairPointer complete) {
        auto accepting = spdy_.accept(stream);
        const bool is_there = co_await accepting;
        if (is_there && complete) {
            ++running_;
            base::spawn(spdy_.bytes().loop(), serve(std::move(complete)));
        }
        co_return is_there;
    }

    void take(SpdyFrame frame) {
        const auto found = by_stream_.find(frame.stream);
        if (found == by_stream_.end()) return;
        const PairPointer pair = found->second;
        if (frame.kind == SpdyKind::reset) return end(*pair);
        // On the error stream clients only say that they have nothing to say.
        if (frame.stream != pair->data_stream || pair->is_over) return;
        if (!frame.data.empty()) {
            buffered_ += frame.data.size();
            pair->to_pod.push_back(std::move(frame.data));
        }
        pair->client_ended = pair->client_ended || frame.is_final;
        pair->changed.raise();
    }

    // Of one pair, from its connection to its end.
    Task<void> serve(PairPointer pair) {
        auto connecting = streams_.port_forward(query_, pair->port);
        Result<FileDescriptor> connected = co_await connecting;
        Result<void> good = connect(*pair, std::move(connected));
        if (good) {
            ++running_;
            base::spawn(spdy_.bytes().loop(), feed(pair));
            auto pumping = pump(*pair);
            co_await pumping;
        }
        const std::string complaint = good ? std::string() : complaint_of(*pair, good.error());
        auto complaining = spdy_.send(pair->error_stream, complaint, true);
        (void)co_await complaining;
        if (!good) {
            auto ending = spdy_.send(pair->data_stream, {}, true);
            (void)co_await ending;
        }
        end(*pair);
        by_stream_.erase(pair->error_stream);
        by_stream_.erase(pair->data_stream);
        leave();
    }

    Result<void> connect(Pair& pair, Result<FileDescriptor> connected) {
        if (!connected) return connected.error();
        KEELSON_TRY(pair.file, LoopFile::open(spdy_.bytes().loop(), std::move(*connected)));
        if (pair.is_over) pair.file->close();
        return base::ok();
    }

    [[nodiscard]] std::string complaint_of(const Pair& pair, const Status& status) const {
        return "error forwarding port " + std::to_string(pair.port) + " to pod " + query_.pod + ", uid " +
               query_.uid + ": " + status.message();
    }

    // From the pod to the client; then the pair is over, unless the client still has something to say.
    Task<void> pump(Pair& pair) {
        std::string data;
        bool goes_on = true;
        while (goes_on) {
            data.clear();
            auto reading = pair.file->read(data, kPiece);
            goes_on = co_await reading;
            if (!goes_on && pair.is_over) co_return;
            auto sending = spdy_.send(pair.data_stream, data, !goes_on);
            const bool sent = co_await sending;
            goes_on = goes_on && sent;
        }
    }

    // From the client to the pod.
    Task<void> feed(PairPointer pair) {
        while (!pair->is_over) {
            if (pair->to_pod.empty() && pair->client_ended) {
                pair->file->end_writing();
                break;
            }
            if (pair->to_pod.empty()) {
                auto waiting = pair->changed.wait();
                co_await waiting;
                continue;
            }
            const std::string data = std::move(pair->to_pod.front());
            pair->to_pod.pop_front();
            auto writing = pair->file->write(data);
            const bool written = co_await writing;
            release(data.size());
            if (!written) break;
        }
        forget(*pair);
        leave();
    }

    void end(Pair& pair) {
        if (pair.is_over) return;
        pair.is_over = true;
        if (pair.file) pair.file->close();
        forget(pair);
        pair.changed.raise();
    }
    void forget(Pair& pair) {
        std::size_t bytes = 0;
        for (const std::string& data : pair.to_pod) bytes += data.size();
        pair.to_pod.clear();
        release(bytes);
    }
    void release(std::size_t bytes) {
        buffered_ -= bytes;
        room_.raise();
    }
    void leave() {
        --running_;
        ended_.raise();
    }

    SpdyConnection spdy_;
    node::NodeStreams& streams_;
    node::ContainerQuery query_;
    std::map<std::uint32_t, PairPointer> by_stream_;
    std::map<std::string, PairPointer> by_request_;  // whose other half has not come yet
    Signal room_, ended_;
    std::size_t buffered_ = 0;
    int running_ = 0;
    bool is_lost_ = false;
};

Task<Result<void>> forward_over_websocket(Exchange& exchange, node::NodeStreams& streams,
                                          node::ContainerQuery query) {
    const Request& request = exchange.request();
    KEELSON_CO_TRY(const std::string protocol,
                   choose_protocol(listed_values(request, "Sec-WebSocket-Protocol"), {kTunnel}));
    KEELSON_CO_TRY(std::vector<Header> headers,
                   websocket_answer(request, protocol.empty() ? kTunnel : std::string_view(protocol)));
    auto upgrading = exchange.upgrade(std::move(headers));
    KEELSON_CO_TRY(ByteStream * bytes, co_await upgrading);
    Tunnel tunnel(*bytes);
    Forwarding forwarding(tunnel, streams, std::move(query));
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
    Forwarding forwarding(*bytes, streams, std::move(query));
    auto running = forwarding.run();
    co_await running;
    co_return base::ok();
}

Task<Result<void>> serve_here(Exchange& exchange, const NodeGate::Node& node, node::ContainerQuery query) {
    const bool is_websocket = asks_for_websocket(exchange.request());
    if (!is_websocket && !asks_for_spdy(exchange.request())) co_return upgrade_required();
    auto forwarding = is_websocket ? forward_over_websocket(exchange, node.streams, std::move(query))
                                   : forward_over_spdy(exchange, node.streams, std::move(query));
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
