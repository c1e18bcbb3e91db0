#include "kernel/api/node_paths.h"

#include <algorithm>
#include <vector>

#include "kernel/access/identity.h"
#include "kernel/api/chain.h"
#include "kernel/api/streams_handler.h"

namespace keelson::api {
namespace {

using base::Task;
using Words = std::vector<std::string>;

Words split(const std::string& path) {
    Words words;
    std::string word;
    for (const char byte : path + "/") {
        if (byte != '/') {
            word += byte;
        } else if (!word.empty()) {
            words.push_back(std::exchange(word, {}));
        }
    }
    return words;
}

Task<void> serve_text(Exchange& exchange, std::string type, Task<std::string> making) {
    std::string text = co_await making;
    exchange.respond(Response(200, std::move(type), std::move(text)));
}

constexpr std::string_view kJson = "application/json";
constexpr std::string_view kMetrics = "text/plain; version=0.0.4; charset=utf-8";

bool is_allowed(const Request& request) {
    if (!request.peer || !request.peer->verified) return false;
    return std::ranges::find(request.peer->organizations, access::masters_group) !=
           request.peer->organizations.end();
}

Task<void> serve_own(Exchange& exchange, NodeGate::Node node) {
    const Request& request = exchange.request();
    if (!is_allowed(request)) {
        exchange.respond(Response(401, "text/plain; charset=utf-8", "Unauthorized"));
        co_return;
    }
    auto serving = serve_node_path(exchange, node, request.path);
    co_await serving;
}

}  // namespace

Task<void> serve_node_path(Exchange& exchange, const NodeGate::Node& node, std::string path) {
    const Words words = split(path);
    const std::string what = words.empty() ? std::string() : words.front();
    const std::size_t count = words.size();
    const bool reads = exchange.request().method == "GET" || exchange.request().method == "HEAD";
    if (what == "healthz" && reads) {
        exchange.respond(Response(200, "text/plain; charset=utf-8", "ok"));
    } else if (path == "/pods" || path == "/pods/") {
        auto serving = serve_text(exchange, std::string(kJson), node.agent.pods());
        co_await serving;
    } else if (path == "/stats/summary") {
        auto serving = serve_text(exchange, std::string(kJson), node.agent.summary());
        co_await serving;
    } else if (path == "/metrics/resource") {
        auto serving = serve_text(exchange, std::string(kMetrics), node.agent.resource_metrics());
        co_await serving;
    } else if (path == "/metrics") {
        exchange.respond(Response(200, std::string(kMetrics), node.agent.metrics()));
    } else if (what == "containerLogs" && count == 4 && reads) {
        auto serving = serve_log_here(exchange, node, {words[1], words[2], "", words[3]});
        co_await serving;
    } else if ((what == "exec" || what == "attach") && (count == 4 || count == 5)) {
        auto serving = serve_command_here(
            exchange, node, {words[1], words[2], count == 5 ? words[3] : std::string(), words.back()},
            what == "exec");
        co_await serving;
    } else if (what == "portForward" && (count == 3 || count == 4)) {
        auto serving = serve_port_forward_here(
            exchange, node, {words[1], words[2], count == 4 ? words[3] : std::string(), ""});
        co_await serving;
    } else {
        exchange.respond(page_not_found());
    }
}

Handler make_node_handler(NodeGate::Node node) {
    return [node](Exchange& exchange) { return serve_own(exchange, node); };
}

}  // namespace keelson::api
