// Port forwarding over the channels of a WebSocket, as client libraries do it: two channels for each port of
// the query, in its order, the first for the bytes and the second for what went wrong. Each begins with a
// message of two bytes, the port, the lower one first.
#include <array>
#include <memory>
#include <utility>
#include <vector>

#include "kernel/api/channel_socket.h"
#include "kernel/api/command_channels.h"
#include "kernel/api/port_pairs.h"
#include "kernel/api/streams_handler.h"
#include "kernel/resource/errors.h"

namespace keelson::api {
namespace {

using base::Result;
using base::Task;

const std::vector<std::string_view> kProtocols = {"v4.channel.k8s.io", "v4.base64.channel.k8s.io"};
// A byte names the channel.
constexpr std::size_t kMostPorts = 128;

Result<std::vector<std::uint16_t>> ports_of(const Request& request) {
    std::vector<std::uint16_t> ports;
    for (std::string_view list : request.query_values("ports")) {
        for (bool goes_on = true; goes_on;) {
            const std::size_t comma = list.find(',');
            goes_on = comma != std::string_view::npos;
            const std::string_view text = list.substr(0, comma);
            const auto port = port_of(text);
            if (!port)
                return resource::bad_request("unable to parse \"" + std::string(text) +
                                             "\" as a port: a number from 1 to 65535 is needed");
            ports.push_back(*port);
            if (goes_on) list.remove_prefix(comma + 1);
        }
    }
    if (ports.empty()) return resource::bad_request("query parameter \"ports\" is required");
    if (ports.size() > kMostPorts)
        return resource::bad_request("at most " + std::to_string(kMostPorts) +
                                     " ports can be forwarded by one connection");
    return ports;
}

class ChannelForwarding final : public PortPairs {
  public:
    ChannelForwarding(ByteStream& bytes, bool is_base64, node::NodeStreams& streams,
                      node::ContainerQuery query)
        : PortPairs(bytes.loop(), streams, std::move(query)), socket_(bytes, is_base64) {}

    Task<void> run(std::vector<std::uint16_t> ports) {
        socket_.bytes().on_lost([this] { end_all(); });
        auto opening = open(ports);
        bool is_there = co_await opening;
        while (is_there && !is_lost()) {
            auto receiving = socket_.receive();
            std::optional<ChannelMessage> message = co_await receiving;
            if (!message) break;
            take(message->channel, std::move(message->data), false);
            auto waiting = wait_for_room();
            co_await waiting;
        }
        end_all();
        auto ending = wait_until_ended();
        co_await ending;
        socket_.bytes().on_lost({});
        auto closing = socket_.close();
        co_await closing;
    }

  private:
    // False: the client is gone.
    Task<bool> open(const std::vector<std::uint16_t>& ports) {
        std::vector<PortPairPointer> pairs;
        for (const std::uint16_t port : ports) {
            auto pair = std::make_shared<PortPair>();
            pair->port = port;
            pair->data_stream = static_cast<std::uint32_t>(2 * pairs.size());
            pair->error_stream = pair->data_stream + 1;
            const std::array<char, 2> greeting = {static_cast<char>(port & 0xff),
                                                  static_cast<char>(port >> 8)};
            for (const std::uint32_t channel : {pair->data_stream, pair->error_stream}) {
                add(channel, pair);
                auto greeted =
                    socket_.send(static_cast<std::uint8_t>(channel), {greeting.data(), greeting.size()});
                const bool is_there = co_await greeted;
                if (!is_there) co_return false;
            }
            pairs.push_back(std::move(pair));
        }
        for (PortPairPointer& pair : pairs) start(std::move(pair));
        co_return true;
    }

    // A channel has no end of its own: that of the connection tells it.
    Task<bool> send(std::uint32_t stream, std::string_view data, bool /*is_final*/) override {
        if (data.empty()) co_return true;
        auto sending = socket_.send(static_cast<std::uint8_t>(stream), data);
        co_return co_await sending;
    }

    void on_idle() override { socket_.bytes().end_reading(); }

    ChannelSocket socket_;
};

}  // namespace

Task<Result<void>> forward_over_channels(Exchange& exchange, node::NodeStreams& streams,
                                         node::ContainerQuery query) {
    const Request& request = exchange.request();
    KEELSON_CO_TRY(std::vector<std::uint16_t> ports, ports_of(request));
    KEELSON_CO_TRY(const std::string protocol,
                   choose_protocol(listed_values(request, "Sec-WebSocket-Protocol"), kProtocols));
    KEELSON_CO_TRY(std::vector<Header> headers, websocket_answer(request, protocol));
    auto upgrading = exchange.upgrade(std::move(headers));
    KEELSON_CO_TRY(ByteStream * bytes, co_await upgrading);
    const bool is_base64 = protocol.find("base64") != std::string::npos;
    ChannelForwarding forwarding(*bytes, is_base64, streams, std::move(query));
    auto running = forwarding.run(std::move(ports));
    co_await running;
    co_return base::ok();
}

}  // namespace keelson::api
