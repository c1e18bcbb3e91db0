// Pods on a node that runs elsewhere: the API server calls the node's own server, and passes on what it says.
#include "kernel/api/metrics_handler.h"
#include "kernel/api/metrics_source.h"
#include "kernel/api/node_paths.h"
#include "kernel/base/sync_wait.h"
#include "kernel/object/json.h"
#include "kernel/object/time_format.h"
#include "tests/api/stream_clients.h"
#include "tests/api/streams_fixture.h"

namespace keelson::api {
namespace {

class NodeElsewhereTest : public StreamsTest {
  protected:
    void SetUp() override {
        StreamsTest::SetUp();
        start_node("system:node:n3");
        add_pod("far", "n3", "c");
        tls = *ClientTls::create({.authority = test_keys().authority.certificate,
                                  .certificate = test_keys().admin.certificate,
                                  .private_key = test_keys().admin.key});
    }
    void TearDown() override {
        if (server) server->stop(std::chrono::seconds(2));
        node_server->stop(std::chrono::seconds(2));
        StreamsTest::TearDown();
    }

    void start_node(const std::string& certificate_name) {
        auto listener = Listener::open("127.0.0.1", 0);
        ASSERT_TRUE(listener);
        const auto certificate = make_server_certificate(test_keys().authority, certificate_name);
        node_server = std::make_unique<Server>(std::move(*listener), make_tls(certificate), ServerOptions(),
                                               *executor, make_node_handler(node));
        node_server->start();
        const std::string status =
            R"({"addresses":[{"type":"InternalIP","address":"127.0.0.1"}],"daemonEndpoints":{"kubeletEndpoint":{"Port":)" +
            std::to_string(node_server->port()) + "}}}";
        (void)cluster.remove({"v1/nodes", "", "n3"});
        EXPECT_TRUE(
            cluster.create({"v1/nodes", "", "n3"}, R"({"metadata":{"name":"n3"},"status":)" + status + "}")
                .ok());
    }
    Answer ask(const std::string& target) { return connect().request("GET", target); }
    // Of the node itself, by whoever has that certificate.
    Answer ask_node(const std::string& target, const daemon::KeyAndCertificate& who) {
        HttpsClient::Options options;
        options.port = node_server->port();
        options.ca = test_keys().authority.certificate;
        options.certificate = who.certificate;
        options.key = who.key;
        return HttpsClient(std::move(options)).request("GET", target);
    }

    std::unique_ptr<Server> node_server;
};

TEST_F(NodeElsewhereTest, ALogComesFromThere) {
    streams.log = std::make_shared<PlayedLog>(std::deque<std::string>{"one\n", "two\n"}, false);
    const Answer answer = ask("/log/far?tailLines=2&timestamps=true");
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, "one\ntwo\n");
    EXPECT_EQ(streams.log_options.tail_lines, 2);
    EXPECT_TRUE(streams.log_options.timestamps);
}

TEST_F(NodeElsewhereTest, ACommandRunsThereOverWebSocket) {
    WebSocketClient client(connect(), "/exec/far?command=sh&stdin=1&stdout=1&stderr=1&container=c",
                           "v5.channel.k8s.io");
    ASSERT_EQ(client.answer.status, 101) << client.answer.body;
    await_process();
    EXPECT_EQ(streams.request.command, std::vector<std::string>({"sh"}));
    client.send('\0', "to the command");
    EXPECT_EQ(take(streams.process.input), "to the command");
    const std::string long_text(300'000, 'x');
    std::thread writer([&] {
        put(streams.process.output, long_text);
        end_process(3);
    });
    std::string received;
    std::string result;
    while (result.empty()) {
        const std::string message = client.message();
        if (message.empty()) break;
        if (message[0] == '\1') received += message.substr(1);
        if (message[0] == '\3') result = message.substr(1);
    }
    writer.join();
    EXPECT_EQ(received, long_text);
    EXPECT_NE(result.find("\"message\":\"3\""), std::string::npos) << result;
}

TEST_F(NodeElsewhereTest, ACommandRunsThereOverSpdy) {
    SpdyClient client(connect(), "/exec/far?command=sh&stdout=1&container=c", "v4.channel.k8s.io");
    ASSERT_EQ(client.answer.status, 101) << client.answer.body;
    client.open(1, {{"streamtype", "error"}});
    client.open(3, {{"streamtype", "stdout"}});
    await_process();
    put(streams.process.output, "hello");
    end_process(0);
    EXPECT_EQ(client.receive_all(3), "hello");
}

TEST_F(NodeElsewhereTest, ItsOwnPathsAreReachedThroughTheProxy) {
    EXPECT_EQ(ask("/log/far?container=x").status, 400) << "what is known to be wrong is said at once";
    agent.usage = R"({"node":{"nodeName":"n3"}})";
    for (const auto& [path, text] : {std::pair("/stats/summary", R"({"node":{"nodeName":"n3"}})"),
                                     std::pair("/metrics", "process_things 1\n"),
                                     std::pair("/metrics/resource", "node_cpu_usage_seconds_total 1 1\n"),
                                     std::pair("/healthz", "ok")}) {
        const Answer answer = ask_node(path, test_keys().admin);
        EXPECT_EQ(answer.status, 200) << path;
        EXPECT_EQ(answer.body, text);
    }
    EXPECT_EQ(ask_node("/nothing", test_keys().admin).status, 404);
}

TEST_F(NodeElsewhereTest, TheNodeAnswersTheApiServerOnly) {
    const auto now = base::system_clock().wall_now();
    const auto other_node = daemon::issue(test_keys().authority, {.common_name = "system:node:n4",
                                                                  .organizations = {"system:nodes"},
                                                                  .for_client = true,
                                                                  .not_before = now - std::chrono::minutes(1),
                                                                  .not_after = now + std::chrono::hours(1)});
    ASSERT_TRUE(other_node);
    for (const auto& who : {*other_node, test_keys().stranger, daemon::KeyAndCertificate{}}) {
        EXPECT_EQ(ask_node("/pods", who).status, 401);
        EXPECT_EQ(ask_node("/containerLogs/default/far/c", who).status, 401);
    }
}

TEST_F(NodeElsewhereTest, WhoeverHasNotTheNodesCertificateIsNotTheNode) {
    node_server->stop(std::chrono::seconds(2));
    start_node("system:node:n4");
    Answer answer = ask("/log/far");
    EXPECT_EQ(answer.status, 500);
    EXPECT_NE(
        answer.body.find("failed to verify certificate: it is valid for system:node:n4, not system:node:n3"),
        std::string::npos)
        << answer.body;
    answer = WebSocketClient(connect(), "/exec/far?command=a&stdout=1", "").answer;
    EXPECT_EQ(answer.status, 500);
    EXPECT_TRUE(answer.body.starts_with("error dialing backend: ")) << answer.body;
}

TEST_F(NodeElsewhereTest, ANodeThatHasGoneIsSaidToBe) {
    const std::string port = std::to_string(node_server->port());
    node_server->stop(std::chrono::seconds(2));
    const Answer answer = ask("/log/far");
    EXPECT_EQ(answer.status, 500);
    EXPECT_NE(answer.body.find("dial tcp 127.0.0.1:" + port + ": connect: connection refused"),
              std::string::npos)
        << answer.body;
}

// What `kubectl top` is told.
class MetricsTest : public NodeElsewhereTest {
  protected:
    void SetUp() override {
        NodeElsewhereTest::SetUp();
        server->stop(std::chrono::seconds(2));
        server.reset();
        NodeGate& gate = *this;
        metrics = std::make_unique<MetricsHandler>(cluster.verbs->lookup(), gate);
        start([this](Exchange& exchange) -> Task<void> {
            const Request& request = exchange.request();
            const auto info = parse_request_info(request.method, request.path, request.query);
            auto answering = metrics->handle(exchange, *info);
            co_await answering;
        });
        agent.usage =
            R"({"node":{"nodeName":"n3","cpu":{"time":"2026-01-01T00:00:00Z","usageNanoCores":1500},)"
            R"("memory":{"workingSetBytes":4096},"cpuWindow":"9.500s"},"pods":[)"
            R"({"podRef":{"name":"far","namespace":"default"},"cpu":{"time":"2026-01-01T00:00:00Z"},)"
            R"("containers":[{"name":"c","cpu":{"usageNanoCores":700},"memory":{"workingSetBytes":2048}}]},)"
            R"({"podRef":{"name":"elsewhere","namespace":"default"},"cpu":{"time":"2026-01-01T00:00:00Z"},)"
            R"("containers":[{"name":"c","cpu":{},"memory":{"workingSetBytes":2048}}]}]})";
    }
    std::unique_ptr<MetricsHandler> metrics;
};

TEST_F(MetricsTest, PodsAndNodesAreListedWithTheirUsage) {
    const std::string base = "/apis/metrics.k8s.io/v1beta1";
    EXPECT_TRUE(metrics->is_available());
    Answer answer = ask(base + "/nodes");
    EXPECT_EQ(answer.status, 200);
    EXPECT_NE(answer.body.find(R"("usage":{"cpu":"1500n","memory":"4Ki"})"), std::string::npos)
        << answer.body;
    EXPECT_NE(answer.body.find(R"("window":"9.500s")"), std::string::npos);
    answer = ask(base + "/namespaces/default/pods");
    EXPECT_NE(answer.body.find(R"("containers":[{"name":"c","usage":{"cpu":"700n","memory":"2Ki"}}])"),
              std::string::npos)
        << answer.body;
    EXPECT_EQ(answer.body.find(R"("name":"elsewhere")"), std::string::npos) << "its rate is not known yet";
    EXPECT_EQ(ask(base + "/namespaces/default/pods/far").status, 200);
    answer = ask(base + "/namespaces/default/pods/nope");
    EXPECT_EQ(answer.status, 404);
    EXPECT_NE(answer.body.find(R"(pods.metrics.k8s.io \"default/nope\" not found)"), std::string::npos)
        << answer.body;
    EXPECT_EQ(ask(base + "/pods?labelSelector=a%3Db").body.find("700n"), std::string::npos);
    EXPECT_NE(ask(base + "/pods?fieldSelector=metadata.name%3Dfar").body.find("700n"), std::string::npos);
    EXPECT_EQ(ask(base + "/pods?fieldSelector=metadata.name%3Dother").body.find("700n"), std::string::npos);
    EXPECT_EQ(ask(base + "/pods?labelSelector=a%3D%3D%3Db").status, 400);
    EXPECT_EQ(ask(base + "/things").status, 404);
}

TEST_F(MetricsTest, ControllersGoByTheSameNumbers) {
    NodeGate& gate = *this;
    const auto source = make_metrics_source(cluster.verbs->lookup(), gate);
    const auto ask = [&](std::string_view namespace_name, std::string_view labels) {
        return base::sync_wait(*executor, source->usage_of_pods(std::string(namespace_name),
                                                                *object::LabelSelector::parse(labels)));
    };
    const auto usages = ask("default", "");
    ASSERT_TRUE(usages) << usages.error().message();
    ASSERT_EQ(usages->size(), 1U) << "the rate of the other one is not known yet";
    const control::PodUsage& usage = usages->front();
    EXPECT_EQ(usage.pod, "far");
    EXPECT_EQ(usage.window, std::chrono::milliseconds(9500));
    EXPECT_EQ(object::format_time(object::instant_of(usage.at)), "2026-01-01T00:00:00Z");
    ASSERT_EQ(usage.containers.size(), 1U);
    EXPECT_EQ(usage.containers.front().name, "c");
    EXPECT_EQ(usage.containers.front().milli.at("cpu"), 1) << "rounded up";
    EXPECT_EQ(usage.containers.front().milli.at("memory"), 2'048'000);
    EXPECT_TRUE(ask("elsewhere", "")->empty());
    EXPECT_TRUE(ask("default", "a=b")->empty());
    // For those who ask within five seconds the nodes are not asked again.
    agent.usage = "{}";
    EXPECT_EQ(ask("default", "")->size(), 1U);
}

TEST_F(MetricsTest, ControllersAreToldThatNothingIsMeasured) {
    NodeGate& gate = *this;
    const auto source = make_metrics_source(cluster.verbs->lookup(), gate);
    node_server->stop(std::chrono::seconds(2));
    const auto usages = base::sync_wait(*executor, source->usage_of_pods("default", {}));
    ASSERT_TRUE(usages) << usages.error().message();
    EXPECT_TRUE(usages->empty()) << "a node that does not answer is left out";
}

TEST_F(MetricsTest, ManyPodsComeWithTheirOwnLabels) {
    constexpr int kPods = 40;
    std::string usage = R"({"node":{"nodeName":"n3","cpuWindow":"9.500s"},"pods":[)";
    for (int index = 0; index < kPods; ++index) {
        const std::string name = "labelled-" + std::to_string(index);
        std::string pod = R"({"metadata":{"name":")";
        pod.append(name).append(R"(","labels":{"label-of-)").append(name);
        pod += R"(":"yes"}},"spec":{"nodeName":"n3","containers":[{"name":"c","image":"i"}]}})";
        ASSERT_TRUE(cluster.create({"v1/pods", "default", name}, pod).ok());
        usage.append(index == 0 ? "" : ",").append(R"({"podRef":{"name":")").append(name);
        usage += R"(","namespace":"default"},"containers":[{"name":"c","cpu":{"usageNanoCores":700}}]})";
    }
    agent.usage = usage + "]}";
    const std::string body = ask("/apis/metrics.k8s.io/v1beta1/pods").body;
    object::Arena arena;
    ASSERT_TRUE(object::parse_json(body, arena)) << body;
    for (int index = 0; index < kPods; ++index) {
        const std::string name = "labelled-" + std::to_string(index);
        EXPECT_NE(body.find(R"("labels":{"label-of-)" + name + R"(":"yes"})"), std::string::npos) << name;
    }
}

}  // namespace
}  // namespace keelson::api
