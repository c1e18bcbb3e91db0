// What a remote command and its client say to each other, whatever carries it: the channels of Kubernetes'
// remotecommand protocols (https://github.com/kubernetes/apimachinery, pkg/util/remotecommand).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/api/exchange.h"
#include "kernel/api/io_loop.h"
#include "kernel/base/result.h"
#include "kernel/base/status.h"
#include "kernel/base/task.h"

namespace keelson::api {

enum class Channel : std::uint8_t { input = 0, output = 1, error = 2, status = 3, resize = 4 };

// What the client asked for.
struct CommandOptions {
    std::vector<std::string> command;  // of exec
    bool input = false;
    bool output = false;
    bool error = false;
    bool terminal = false;
};

// How it went: the exit code of a command that ran, or why there is none.
struct CommandOutcome {
    int exit_code = 0;
    std::vector<std::string> command;
    std::optional<base::Status> failure;

    // The Status document that protocols from version 4 on send in any case.
    [[nodiscard]] std::string json() const;
    // What the earlier ones send, of failures only.
    [[nodiscard]] std::string text() const;
};

struct CommandInput {
    Channel channel = Channel::input;  // input or resize
    std::string data;
    bool is_end = false;
};

// Of the loop's thread; receive() is awaited by one task, send() by any.
class CommandChannels {
  public:
    virtual ~CommandChannels() = default;
    [[nodiscard]] virtual IoLoop& loop() = 0;
    // None: the client is gone, or has broken the protocol, or stop_receiving() was called.
    virtual base::Task<std::optional<CommandInput>> receive() = 0;
    virtual void stop_receiving() = 0;
    // As ByteStream::on_lost.
    virtual void on_lost(std::function<void()> callback) = 0;
    // Waits until the client has taken it. False: it is gone.
    virtual base::Task<bool> send(Channel channel, std::string_view data) = 0;
    // Ends all channels with this as the last word.
    virtual base::Task<void> finish(const CommandOutcome& outcome) = 0;
};

// Hands the exchange's connection over to one of the protocols, and waits until the client has opened what it
// asked for. A failure has not been answered; null: the client went, or did not do its part.
[[nodiscard]] base::Task<base::Result<std::unique_ptr<CommandChannels>>> open_websocket_channels(
    Exchange& exchange, const CommandOptions& options);
[[nodiscard]] base::Task<base::Result<std::unique_ptr<CommandChannels>>> open_spdy_channels(
    Exchange& exchange, const CommandOptions& options);

// The first of the client's protocols that is served; fails (403) when there is none.
[[nodiscard]] base::Result<std::string> choose_protocol(const std::vector<std::string>& offered,
                                                        const std::vector<std::string_view>& served);

}  // namespace keelson::api
