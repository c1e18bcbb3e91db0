// Exec and attach: finds the container, agrees with the client on a protocol, and carries the streams.
#include <memory>
#include <utility>

#include "kernel/api/command_channels.h"
#include "kernel/api/options.h"
#include "kernel/api/pod_target.h"
#include "kernel/api/remote_command.h"
#include "kernel/api/spdy_connection.h"
#include "kernel/api/streams_handler.h"
#include "kernel/api/websocket.h"
#include "kernel/resource/errors.h"

namespace keelson::api {
namespace {

using base::Result;
using base::Status;
using base::Task;
using resource::Call;
using ChannelsPointer = std::unique_ptr<CommandChannels>;

Result<CommandOptions> parse_options(const Request& request, bool is_exec) {
    CommandOptions options;
    options.input = query_flag(request, "stdin");
    options.output = query_flag(request, "stdout");
    options.terminal = query_flag(request, "tty");
    // A terminal has one output.
    options.error = query_flag(request, "stderr") && !options.terminal;
    if (!options.input && !options.output && !options.error)
        return resource::bad_request("you must specify at least 1 of stdin, stdout, stderr");
    for (const std::string_view word : request.query_values("command")) options.command.emplace_back(word);
    if (is_exec && options.command.empty())
        return resource::bad_request("a command to execute must be specified");
    return options;
}

// What is known to be wrong before the connection is handed over is told as any answer is.
Task<Result<void>> check_container(node::NodeAgent& agent, node::ContainerQuery query) {
    auto finding = agent.find(query);
    KEELSON_CO_TRY(const node::ContainerView view, co_await finding);
    if (!view.is_running)
        co_return Status(base::Reason::unknown, "container not found (\"" + query.container + "\")");
    co_return base::ok();
}

Task<Result<node::Streams>> start(node::NodeStreams& streams, node::ContainerQuery query,
                                  const CommandOptions& options, bool is_exec, std::string& container_id) {
    if (!is_exec) {
        bool has_terminal = false;
        auto attaching = streams.attach(std::move(query), options.input, options.output, options.error,
                                        container_id, has_terminal);
        co_return co_await attaching;
    }
    node::ExecRequest request;
    request.command = options.command;
    request.has_terminal = options.terminal;
    request.has_standard_input = options.input;
    request.has_standard_output = options.output;
    request.has_standard_error = options.error;
    auto executing = streams.exec(std::move(query), std::move(request), container_id);
    co_return co_await executing;
}

Task<void> carry(CommandChannels& channels, node::NodeStreams& streams, node::ContainerQuery query,
                 const CommandOptions& options, bool is_exec) {
    std::string container_id;
    auto starting = start(streams, std::move(query), options, is_exec, container_id);
    Result<node::Streams> started = co_await starting;
    if (!started) {
        CommandOutcome outcome;
        const std::string what =
            is_exec ? "error executing command in container: " : "error attaching to container: ";
        outcome.failure = resource::internal_error(what + started.error().message());
        auto finishing = channels.finish(outcome);
        co_await finishing;
        channels.stop_receiving();
        co_return;
    }
    RemoteCommand command;
    command.command = options.command;
    command.tells_exit_code = is_exec;
    if (options.terminal)
        command.resize = [&streams, container_id, execution = started->exec_id](std::uint16_t columns,
                                                                                std::uint16_t rows) {
            return streams.resize(container_id, execution, columns, rows);
        };
    command.streams = std::move(*started);
    auto carrying = carry_command(channels, std::move(command));
    co_await carrying;
}

Task<Result<void>> serve_here(Exchange& exchange, const NodeGate::Node& node, node::ContainerQuery query,
                              bool is_exec) {
    const Request& request = exchange.request();
    const bool is_websocket = asks_for_websocket(request);
    if (!is_websocket && !asks_for_spdy(request)) co_return upgrade_required();
    KEELSON_CO_TRY(const CommandOptions options, parse_options(request, is_exec));
    auto checking = check_container(node.agent, query);
    KEELSON_CO_TRY_VOID(co_await checking);
    auto opening =
        is_websocket ? open_websocket_channels(exchange, options) : open_spdy_channels(exchange, options);
    KEELSON_CO_TRY(const ChannelsPointer channels, co_await opening);
    if (!channels) co_return base::ok();
    auto carrying = carry(*channels, node.streams, std::move(query), options, is_exec);
    co_await carrying;
    co_return base::ok();
}

Result<PodTarget> find_container(const Request& request, StreamParts parts, const Call& call,
                                 object::Arena& arena) {
    KEELSON_TRY(PodTarget target, find_pod(parts.lookup, call, arena));
    KEELSON_TRY_VOID(choose_container(target, request.query_value("container")));
    if (target.node.empty()) return no_host(target);
    return target;
}

}  // namespace

Task<void> serve_command(Exchange& exchange, StreamParts parts, const Call& call) {
    object::Arena arena;
    const Result<PodTarget> target = find_container(exchange.request(), parts, call, arena);
    if (!target) {
        refuse_stream(exchange, target.error());
        co_return;
    }
    const std::string_view what = call.subresource_name();
    if (const NodeGate::Node* node = parts.nodes.find(target->node)) {
        auto serving = serve_command_here(exchange, *node, target->query, what == "exec");
        co_await serving;
        co_return;
    }
    auto passing = pass_to_node(exchange, parts, target->node,
                                node_path(exchange.request(), what, target->query), refuse_backend);
    co_await passing;
}

Task<void> serve_command_here(Exchange& exchange, const NodeGate::Node& node, node::ContainerQuery query,
                              bool is_exec) {
    auto serving = serve_here(exchange, node, std::move(query), is_exec);
    const Result<void> served = co_await serving;
    if (!served) refuse_stream(exchange, served.error());
}

}  // namespace keelson::api
