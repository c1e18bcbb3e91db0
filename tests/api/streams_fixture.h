// A server of logs and streams over a node that the test plays: what runs there is what on_exec and the
// others give out.
#pragma once

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <deque>
#include <mutex>

#include "kernel/api/request_info.h"
#include "kernel/api/spdy_frames.h"
#include "kernel/api/streams_handler.h"
#include "kernel/api/websocket.h"
#include "tests/api/server_fixture.h"
#include "tests/resource/cluster.h"

namespace keelson::api {

using base::FileDescriptor;
using base::Result;
using base::Task;

struct Pipe {
    FileDescriptor reading;
    FileDescriptor writing;
};
inline Pipe make_pipe() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    return {FileDescriptor(ends[0]), FileDescriptor(ends[1])};
}
inline void put(const FileDescriptor& descriptor, std::string_view text) {
    EXPECT_EQ(::write(descriptor.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
}
// What comes, up to so many bytes; empty at the end. Blocks.
inline std::string take(const FileDescriptor& descriptor, std::size_t limit_bytes = 65'536) {
    std::string text(limit_bytes, '\0');
    const ssize_t count = ::read(descriptor.get(), text.data(), text.size());
    text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    return text;
}

// The other ends of a process' streams.
struct Process {
    FileDescriptor input, output, error, result;
};

class PlayedLog final : public node::LogReader {
  public:
    explicit PlayedLog(std::deque<std::string> pieces, bool follows)
        : pieces_(std::move(pieces)), follows_(follows) {}
    Task<Result<std::string>> next() override {
        if (pieces_.empty() && follows_) co_await stopped_;
        if (pieces_.empty()) co_return std::string();
        std::string piece = std::move(pieces_.front());
        pieces_.pop_front();
        co_return piece;
    }
    void finish() override { stopped_.complete(true); }
    void stop() override { stopped_.complete(true); }
    [[nodiscard]] bool is_stopped() const { return stopped_.is_complete(); }

  private:
    std::deque<std::string> pieces_;
    bool follows_;
    base::Completion<bool> stopped_;
};

class PlayedStreams final : public node::NodeStreams {
  public:
    std::shared_ptr<PlayedLog> log;
    node::LogOptions log_options;
    bool log_previous = false;
    node::ExecRequest request;
    base::Completion<bool> executed;  // process is there
    Process process;
    std::optional<base::Status> failure;
    base::Completion<std::pair<int, int>> resized;
    std::function<Result<FileDescriptor>(std::uint16_t)> on_forward;

    Task<Result<std::shared_ptr<node::LogReader>>> logs(node::ContainerQuery, bool previous,
                                                        node::LogOptions options) override {
        log_previous = previous;
        log_options = std::move(options);
        if (failure) co_return *failure;
        co_return std::shared_ptr<node::LogReader>(log);
    }
    Task<Result<node::Streams>> exec(node::ContainerQuery, node::ExecRequest wanted,
                                     std::string& container_id) override {
        container_id = "c1";
        request = std::move(wanted);
        co_return start(request.has_standard_input, request.has_standard_output, request.has_standard_error);
    }
    Task<Result<node::Streams>> attach(node::ContainerQuery, bool in, bool out, bool err,
                                       std::string& container_id, bool&) override {
        container_id = "c1";
        co_return start(in, out, err);
    }
    Task<Result<void>> resize(std::string, std::string, std::uint16_t columns, std::uint16_t rows) override {
        resized.complete({columns, rows});
        co_return base::ok();
    }
    Task<Result<FileDescriptor>> port_forward(node::ContainerQuery, std::uint16_t port) override {
        co_return on_forward(port);
    }

  private:
    Result<node::Streams> start(bool in, bool out, bool err) {
        if (failure) return *failure;
        node::Streams streams;
        const auto give = [](FileDescriptor& theirs, FileDescriptor& ours) {
            Pipe pipe = make_pipe();
            theirs = std::move(pipe.reading);
            ours = std::move(pipe.writing);
        };
        if (in) give(process.input, streams.standard_input);
        if (out) give(streams.standard_output, process.output);
        if (err) give(streams.standard_error, process.error);
        give(streams.result, process.result);
        executed.complete(true);
        return streams;
    }
};

class PlayedAgent final : public node::NodeAgent {
  public:
    bool is_running = true;

    Task<void> run() override { co_return; }
    void stop() override {}
    void reconcile(const std::string&) override {}
    void network_changed() override {}
    Task<Result<node::ContainerView>> find(node::ContainerQuery) override {
        node::ContainerView view;
        view.id = "c1";
        view.is_running = is_running;
        co_return view;
    }
    Task<Result<std::string>> find_sandbox(node::ContainerQuery) override { co_return std::string("s1"); }
    void when_ended(std::string, base::Callback) override {}
    std::string usage = "{}";  // what summary() gives
    Task<std::string> summary() override { co_return usage; }
    Task<std::string> resource_metrics() override { co_return "node_cpu_usage_seconds_total 1 1\n"; }
    std::string metrics() override { return "process_things 1\n"; }
    Task<std::string> pods() override { co_return "{}"; }
};

class StreamsTest : public ServerTest, protected NodeGate {
  protected:
    void SetUp() override {
        add_pod("p", "n1", "c");
        add_pod("elsewhere", "n2", "c");
        add_pod("unbound", "", "c");
        const auto node =
            R"({"metadata":{"name":"n2"},"status":{"addresses":[{"type":"InternalIP","address":"192.0.2.7"}]}})";
        EXPECT_TRUE(cluster.create({"v1/nodes", "", "n2"}, node).ok());
        start([this](Exchange& exchange) -> Task<void> {
            // "/exec/p": the subresource and the pod; or the whole path of a proxy.
            const std::string& path = exchange.request().path;
            if (path.starts_with("/api")) {
                const resource::Call call = proxy_call(path);
                auto proxying = serve_stream(exchange, {cluster.verbs->lookup(), *this}, call);
                co_await proxying;
                co_return;
            }
            const std::size_t slash = path.find('/', 1);
            const std::string resource = "v1/pods" + path.substr(0, slash);
            const std::string name = path.substr(slash + 1);
            const resource::Call call = resource::Cluster::call_of({resource, "default", name});
            auto serving = serve_stream(exchange, {cluster.verbs->lookup(), *this}, call);
            co_await serving;
        });
    }

    static resource::Call proxy_call(const std::string& path) {
        const auto info = parse_request_info("GET", path, {});
        return resource::Cluster::call_of({"v1/pods/proxy", "default", info->name});
    }

    void add_pod(const std::string& name, const std::string& node, const std::string& container) {
        std::string spec = R"("containers":[{"name":")" + container + R"(","image":"i"}])";
        if (!node.empty()) spec += R"(,"nodeName":")" + node + "\"";
        const std::string pod = R"({"metadata":{"name":")" + name + R"("},"spec":{)" + spec + "}}";
        const auto made = cluster.create({"v1/pods", "default", name}, pod);
        EXPECT_TRUE(made.ok()) << made.error;
    }

    [[nodiscard]] const Node* find(const std::string& name) override {
        return name == "n1" ? &node : nullptr;
    }
    [[nodiscard]] std::shared_ptr<const ClientTls> client_tls() override { return tls; }

    void await_process() {
        base::Completion<bool> executed = streams.executed;
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        while (!executed.is_complete() && std::chrono::steady_clock::now() < deadline) ::usleep(1000);
        ASSERT_TRUE(executed.is_complete());
    }
    void end_process(int code) {
        streams.process.output.reset();
        streams.process.error.reset();
        put(streams.process.result, "{\"exitCode\":" + std::to_string(code) + "}");
        streams.process.result.reset();
    }

    resource::Cluster cluster;
    PlayedStreams streams;
    PlayedAgent agent;
    Node node{streams, agent};
    std::shared_ptr<const ClientTls> tls;  // for nodes elsewhere
};

}  // namespace keelson::api
