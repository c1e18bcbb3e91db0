#include "cli/streams/remote_command.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "cli/kube/object.h"
#include "cli/streams/terminal.h"
#include "cli/streams/websocket.h"

namespace keelson::cli::streams {
namespace {

constexpr char kInput = 0;
constexpr char kOutput = 1;
constexpr char kError = 2;
constexpr char kStatus = 3;
constexpr char kResize = 4;
constexpr char kClose = '\xff';
constexpr std::size_t kPiece = 32u << 10;
// More is read from the input only when less waits to be sent.
constexpr std::size_t kMostUnsent = 256u << 10;
constexpr const char* kProtocol5 = "v5.channel.k8s.io";
constexpr const char* kProtocol4 = "v4.channel.k8s.io";

kube::ApiCall call_of(const CommandTarget& target, const CommandStreams& streams) {
    kube::ApiCall call;
    call.path = "/api/v1/namespaces/" + encode_segment(target.namespace_name) + "/pods/" +
                encode_segment(target.pod) + (target.command.empty() ? "/attach" : "/exec");
    for (const std::string& word : target.command) call.query.emplace_back("command", word);
    if (!target.container.empty()) call.query.emplace_back("container", target.container);
    if (streams.has_input()) call.query.emplace_back("stdin", "true");
    if (streams.output) call.query.emplace_back("stdout", "true");
    if (streams.error && !streams.has_terminal) call.query.emplace_back("stderr", "true");
    if (streams.has_terminal) call.query.emplace_back("tty", "true");
    return call;
}

// What the status document says: an exit code, or why there is none.
Result<int> outcome_of(const std::string& text) {
    const auto status = kube::Object::parse(text, nullptr, false);
    if (kube::text_at(status, "status") == "Success") return 0;
    if (kube::text_at(status, "reason") == "NonZeroExitCode")
        for (const kube::Object& cause : kube::member(status, {"details", "causes"}))
            if (kube::text_at(cause, "reason") == "ExitCode")
                return std::atoi(kube::text_at(cause, "message").c_str());
    const std::string message = kube::text_at(status, "message");
    return fail(message.empty() ? "the server did not say how the command ended" : message);
}

class Conversation {
  public:
    Conversation(WebSocket socket, const std::string& protocol, const CommandStreams& streams)
        : socket_(std::move(socket)),
          streams_(streams),
          can_close_input_(protocol == kProtocol5),
          takes_input_(streams.has_input()) {
        if (!streams.has_terminal) return;
        sizes_ = std::make_unique<SizeChanges>();
        send_size();
    }

    Result<int> run() {
        while (!outcome_) {
            if (auto done = handle_messages(); !done) return pass_on(done);
            if (outcome_ || is_unwanted_) break;
            if (socket_.is_over()) return fail("the connection was closed before the command had ended");
            make_input();
            if (auto done = wait(); !done) return pass_on(done);
        }
        socket_.close();
        // Whether the server still hears it is of no interest.
        static_cast<void>(socket_.flush());
        return outcome_ ? outcome_of(*outcome_) : Result<int>(0);
    }

  private:
    void send(char channel, std::string_view data) {
        std::string message(1, channel);
        message += data;
        socket_.send(message);
    }

    void send_size() {
        const auto size = terminal_size(streams_.input);
        if (!size) return;
        send(kResize, nlohmann::json{{"Width", size->width}, {"Height", size->height}}.dump());
    }

    void end_input() {
        takes_input_ = false;
        if (can_close_input_) send(kClose, std::string_view(&kInput, 1));
    }

    void make_input() {
        while (takes_input_ && streams_.make_input && socket_.unsent() < kMostUnsent) {
            const auto piece = streams_.make_input();
            if (!piece) return end_input();
            if (!piece->empty()) send(kInput, *piece);
        }
    }

    void read_input() {
        std::array<char, kPiece> piece{};
        const ssize_t count = ::read(streams_.input, piece.data(), piece.size());
        if (count > 0)
            send(kInput, {piece.data(), static_cast<std::size_t>(count)});
        else if (count == 0 || (errno != EAGAIN && errno != EINTR))
            end_input();
    }

    // Until something happens; then does it.
    Result<void> wait() {
        if (auto flushed = socket_.flush(); !flushed) return flushed;
        const bool has_room = socket_.unsent() < kMostUnsent;
        const bool reads = takes_input_ && streams_.input >= 0 && has_room;
        std::array<pollfd, 3> watched{{
            {socket_.descriptor(), static_cast<short>(POLLIN | (socket_.unsent() > 0 ? POLLOUT : 0)), 0},
            {reads ? streams_.input : -1, POLLIN, 0},
            {sizes_ ? sizes_->descriptor() : -1, POLLIN, 0},
        }};
        if (::poll(watched.data(), watched.size(), -1) < 0 && errno != EINTR)
            return fail("poll: " + std::string(std::strerror(errno)));
        if (watched[2].revents != 0) {
            sizes_->take();
            send_size();
        }
        if (watched[1].revents != 0) read_input();
        return watched[0].revents != 0 ? socket_.receive() : Result<void>();
    }

    Result<void> handle_messages() {
        // What came with the answer is read before anything is waited for.
        if (!std::exchange(has_begun_, true))
            if (auto done = socket_.receive(); !done) return done;
        while (auto message = socket_.next()) {
            if (message->empty()) continue;
            const std::string_view data = std::string_view(*message).substr(1);
            const char channel = message->front();
            if (channel == kStatus && !data.empty()) outcome_ = data;
            if (data.empty()) continue;
            const auto& sink = channel == kOutput ? streams_.output : streams_.error;
            const bool is_said = channel == kOutput || channel == kError;
            if (is_said && sink && !sink(data)) is_unwanted_ = true;
        }
        return {};
    }

    WebSocket socket_;
    const CommandStreams& streams_;
    bool can_close_input_;
    bool takes_input_;
    bool has_begun_ = false;
    bool is_unwanted_ = false;
    std::unique_ptr<SizeChanges> sizes_;
    std::optional<std::string> outcome_;
};

}  // namespace

Result<int> run_remote(kube::Api& api, const CommandTarget& target, const CommandStreams& streams) {
    auto upgraded = open_websocket(api, call_of(target, streams), {kProtocol5, kProtocol4});
    if (!upgraded) return pass_on(upgraded);
    const std::unique_ptr<RawTerminal> raw =
        streams.has_terminal ? std::make_unique<RawTerminal>(streams.input) : nullptr;
    return Conversation(WebSocket(std::move(upgraded->duplex)), upgraded->protocol, streams).run();
}

std::function<bool(std::string_view)> sink_of(int descriptor) {
    return [descriptor](std::string_view data) {
        while (!data.empty()) {
            const ssize_t count = ::write(descriptor, data.data(), data.size());
            if (count < 0 && errno != EINTR) return false;
            if (count > 0) data.remove_prefix(static_cast<std::size_t>(count));
        }
        return true;
    };
}

}  // namespace keelson::cli::streams
