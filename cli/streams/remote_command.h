// A command in a container, or a container's own process, with its input, output and end: Kubernetes'
// remotecommand protocols v5 and v4 over WebSocket.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/kube/api.h"
#include "cli/result.h"

namespace keelson::cli::streams {

// Whose process, and what of it.
struct CommandTarget {
    std::string namespace_name, pod, container;
    std::vector<std::string> command;  // empty: attach to the container's process
};

struct CommandStreams {
    // Either a descriptor to read, or pieces that are made when there is room; none is the end.
    int input = -1;
    std::function<std::optional<std::string>()> make_input;
    // Take pieces as they come; false ends the command's connection. None: it is not asked for.
    std::function<bool(std::string_view)> output, error;
    // Of the descriptor `input`; its size is followed.
    bool has_terminal = false;

    [[nodiscard]] bool has_input() const { return input >= 0 || make_input; }
};

// The exit code of the command.
Result<int> run_remote(kube::Api& api, const CommandTarget& target, const CommandStreams& streams);

// A sink that writes everything to the descriptor.
std::function<bool(std::string_view)> sink_of(int descriptor);

}  // namespace keelson::cli::streams
