// Runs what exec and attach ask for: carries bytes between the channels of a client and the descriptors of a
// container's process.
#pragma once

#include <functional>

#include "kernel/api/command_channels.h"
#include "kernel/node/runtime.h"

namespace keelson::api {

struct RemoteCommand {
    // A runtime may take the end of `result` for the client's: it is held as long as the rest.
    node::Streams streams;
    bool tells_exit_code = true;  // false: the end of its output is all there is to tell (attach)
    std::vector<std::string> command;
    std::function<base::Task<base::Result<void>>(std::uint16_t columns, std::uint16_t rows)> resize;
};

// Ends when the process has ended or the client is gone; then nothing of it is left. What the process says is
// read no faster than the client takes it.
[[nodiscard]] base::Task<void> carry_command(CommandChannels& channels, RemoteCommand command);

// The sizes that a client tells ("{"Width":80,"Height":24}" one after the other, in pieces of any length).
struct TerminalSize {
    std::uint16_t columns = 0;
    std::uint16_t rows = 0;
};
class TerminalSizes {
  public:
    // The last complete size in what has come; what is no size is skipped.
    [[nodiscard]] std::optional<TerminalSize> put(std::string_view text);

  private:
    std::string rest_;
};

}  // namespace keelson::api
