#include "kernel/node/probe.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <optional>

#include "kernel/node/grpc_probe.h"
#include "kernel/node/http_probe.h"
#include "kernel/node/probe_connection.h"
#include "kernel/object/accessors/core_v1.h"
#include "kernel/object/names.h"

namespace keelson::node {
namespace {

namespace core_v1 = api_types::core_v1;

using base::Reason;
using base::Result;
using base::Status;
using base::Task;

// A look-up of a name does not know the deadline: nobody waits for it longer than this.
constexpr auto kGrace = std::chrono::milliseconds(200);

// A number, or the name of one of the container's ports.
Result<std::uint16_t> port_of(object::Value port, object::Value container) {
    std::int64_t number = port.as_integer();
    if (port.is_string()) {
        const std::string_view name = port.as_string();
        std::optional<std::int64_t> found;
        for (const core_v1::ContainerPort known : core_v1::Container(container).ports())
            if (known.name() == name) found = known.container_port();
        if (!found) {
            const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
            if (error != std::errc() || end != name.data() + name.size())
                return Status(Reason::not_found, "port " + std::string(name) + " not found");
        }
        number = found.value_or(number);
    }
    if (number > 0 && number <= 65535) return static_cast<std::uint16_t>(number);
    return Status(Reason::bad_request, "invalid port number: " + std::to_string(number));
}

std::string host_of(std::string_view own, const ProbeTarget& target) {
    return own.empty() ? target.pod_address : std::string(own);
}

// Runs on the pool for blocking calls, and answers in time in any case: the time counts from when it runs, so
// that many slow servers do not make the others fail.
template <typename Ask>
Task<ProbeResult> ask_in_time(Ask ask, std::chrono::seconds timeout, base::Executor& executor) {
    const base::Completion<ProbeResult> answered;
    auto work = [answered, ask = std::move(ask), timeout, &executor] {
        const auto timer = executor.post_after(timeout + kGrace, [answered] {
            answered.complete({ProbeOutcome::failure, "context deadline exceeded"});
        });
        answered.complete(ask(std::chrono::steady_clock::now() + timeout));
        timer->cancel();
    };
    executor.run_blocking(std::move(work));
    co_return co_await answered;
}

Task<ProbeResult> ask_http(core_v1::HTTPGetAction action, const ProbeTarget& target,
                           std::chrono::seconds timeout, base::Executor& executor) {
    const auto port = port_of(action.port(), target.container);
    if (!port) co_return ProbeResult{ProbeOutcome::unknown, port.error().message()};
    HttpProbe probe;
    probe.is_secure = object::lower_case(action.scheme()) == "https";
    probe.host = host_of(action.host(), target);
    probe.port = *port;
    probe.path = action.path();
    probe.user_agent = target.user_agent;
    for (const core_v1::HTTPHeader header : action.http_headers())
        probe.headers.emplace_back(header.name(), header.value());
    auto ask = [probe = std::move(probe)](Deadline deadline) { return ask_over_http(probe, deadline); };
    auto asking = ask_in_time(std::move(ask), timeout, executor);
    co_return co_await asking;
}

Task<ProbeResult> ask_tcp(core_v1::TCPSocketAction action, const ProbeTarget& target,
                          std::chrono::seconds timeout, base::Executor& executor) {
    const auto port = port_of(action.port(), target.container);
    if (!port) co_return ProbeResult{ProbeOutcome::unknown, port.error().message()};
    auto ask = [host = host_of(action.host(), target), number = *port](Deadline deadline) -> ProbeResult {
        const auto connection = ProbeConnection::open(host, number, deadline);
        if (connection) return {ProbeOutcome::success, ""};
        return {ProbeOutcome::failure, connection.error().message()};
    };
    auto asking = ask_in_time(std::move(ask), timeout, executor);
    co_return co_await asking;
}

Task<ProbeResult> ask_grpc(core_v1::GRPCAction action, const ProbeTarget& target,
                           std::chrono::seconds timeout, base::Executor& executor) {
    GrpcProbe probe;
    probe.host = target.pod_address;
    probe.port = static_cast<std::uint16_t>(action.port());
    probe.service = action.service();
    probe.user_agent = target.user_agent;
    probe.timeout = timeout;
    auto ask = [probe = std::move(probe)](Deadline deadline) { return ask_over_grpc(probe, deadline); };
    auto asking = ask_in_time(std::move(ask), timeout, executor);
    co_return co_await asking;
}

Task<ProbeResult> ask_by_exec(core_v1::ExecAction action, const ProbeTarget& target,
                              std::chrono::seconds timeout, Runtime& runtime, base::Executor& executor) {
    std::vector<std::string> command;
    for (const std::string_view word : action.command()) command.emplace_back(word);
    auto running = run_in_container(target.container_id, std::move(command), timeout, runtime, executor);
    Result<ExecOutput> output = co_await running;
    ProbeResult result;
    if (!output) {
        const bool is_late = output.error().reason() == Reason::timeout;
        result.outcome = is_late ? ProbeOutcome::failure : ProbeOutcome::unknown;
        result.output = output.error().message();
        co_return result;
    }
    result.outcome = output->exit_code == 0 ? ProbeOutcome::success : ProbeOutcome::failure;
    result.output = std::move(output->output);
    co_return result;
}

}  // namespace

Task<ProbeResult> ask(object::Value probe, const ProbeTarget& target, std::chrono::seconds timeout,
                      Runtime& runtime, base::Executor& executor) {
    const core_v1::ProbeHandler handler(probe);
    if (handler.has_exec()) {
        auto asking = ask_by_exec(handler.exec(), target, timeout, runtime, executor);
        co_return co_await asking;
    }
    if (handler.has_http_get()) {
        auto asking = ask_http(handler.http_get(), target, timeout, executor);
        co_return co_await asking;
    }
    if (handler.has_tcp_socket()) {
        auto asking = ask_tcp(handler.tcp_socket(), target, timeout, executor);
        co_return co_await asking;
    }
    if (handler.has_grpc()) {
        auto asking = ask_grpc(handler.grpc(), target, timeout, executor);
        co_return co_await asking;
    }
    co_return ProbeResult{ProbeOutcome::unknown, "missing probe handler"};
}

}  // namespace keelson::node
