#include "kernel/access/flow_control.h"

#include <gtest/gtest.h>

#include <map>

#include "kernel/base/executor_simulated.h"

namespace keelson::access {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Attributes request(const std::string& user, std::vector<std::string> groups, const std::string& name = "pods",
                   const std::string& verb = "list") {
    Attributes attributes;
    attributes.user = {.user = user, .uid = {}, .groups = std::move(groups), .extra = {}};
    attributes.verb = verb;
    attributes.is_resource_request = true;
    attributes.resource = name.substr(name.find('.') + 1);
    attributes.group = name.find('.') == std::string::npos ? "" : name.substr(0, name.find('.')) + ".k8s.io";
    return attributes;
}

const std::vector<std::string> known{"system:authenticated"};

std::string schema_of(const Attributes& attributes) {
    base::SeededRandom random(1);
    const FlowControl control(default_flow_control(random));
    const Classification found = control.classify(attributes);
    return found.schema + "/" + found.level;
}

TEST(FlowSchemas, ClassifyAsKubernetesDoes) {
    EXPECT_EQ(schema_of(request("a", {"system:masters", "system:authenticated"})), "exempt/exempt");
    EXPECT_EQ(schema_of(request("system:node:n", {"system:nodes", "system:authenticated"})),
              "system-nodes/system");
    EXPECT_EQ(schema_of(request("system:node:n", {"system:nodes"}, "nodes", "update")),
              "system-node-high/node-high");
    EXPECT_EQ(schema_of(request("system:node:n", {"system:nodes"}, "coordination.leases", "update")),
              "system-node-high/node-high");
    EXPECT_EQ(schema_of(request("system:kube-scheduler", known)), "kube-scheduler/workload-high");
    EXPECT_EQ(schema_of(request("system:kube-scheduler", known, "coordination.leases", "update")),
              "system-leader-election/leader-election");
    EXPECT_EQ(
        schema_of(request("system:serviceaccount:kube-system:x", {"system:serviceaccounts:kube-system"})),
        "kube-system-service-accounts/workload-high");
    EXPECT_EQ(schema_of(request("system:serviceaccount:n:x", {"system:serviceaccounts"})),
              "service-accounts/workload-low");
    EXPECT_EQ(schema_of(request("jane", known)), "global-default/global-default");
    EXPECT_EQ(schema_of(request("system:anonymous", {"system:unauthenticated"})),
              "global-default/global-default");
    EXPECT_EQ(schema_of(request("odd", {})), "catch-all/catch-all");
    Attributes probe;
    probe.user = anonymous_identity();
    probe.verb = "get";
    probe.path = "/readyz";
    EXPECT_EQ(schema_of(probe), "probes/exempt");
}

// One level "work" with few seats, flows by user.
class QueueTest : public ::testing::Test {
  protected:
    // Nobody is left waiting.
    void TearDown() override { executor.advance(std::chrono::minutes(10)); }
    void make(int seats, int queues, int queue_length) {
        FlowControlOptions options;
        options.seats = seats;
        options.levels = {{.name = "work",
                           .uid = "l",
                           .shares = 1,
                           .queues = queues,
                           .hand_size = 4,
                           .queue_length = queue_length}};
        options.schemas = {
            {.name = "all",
             .uid = "s",
             .level = "work",
             .precedence = 1,
             .flow_by = FlowBy::user,
             .users = {"*"},
             .groups = {},
             .rules = {{.verbs = {"*"}, .groups = {"*"}, .resources = {"*"}, .paths = {"*"}}}}};
        control = std::make_unique<FlowControl>(std::move(options));
    }
    // Serves one request of the user that takes that long.
    void send(const std::string& user, base::Duration length) { base::spawn(executor, serve(user, length)); }
    base::Task<void> serve(std::string user, base::Duration length) {
        const Attributes attributes = request(user, known);
        auto seat = co_await control->enter(attributes);
        if (!seat) {
            ++rejected[user];
            last_rejection = seat.error();
            co_return;
        }
        running = running + 1;
        most_running = std::max(most_running, running);
        co_await base::sleep_for(length);
        running = running - 1;
        ++served[user];
        seat->release();
    }

    base::SimulatedExecutor executor;
    std::unique_ptr<FlowControl> control;
    std::map<std::string, int> served;
    std::map<std::string, int> rejected;
    base::Status last_rejection{base::Reason::unknown, ""};
    int running = 0;
    int most_running = 0;
};

TEST_F(QueueTest, NeverServesMoreThanTheSeats) {
    make(4, 16, 50);
    for (int i = 0; i < 40; ++i) send("jane", milliseconds(100));
    executor.advance(seconds(5));
    EXPECT_EQ(served["jane"], 40);
    EXPECT_EQ(most_running, 4);
    EXPECT_EQ(control->statistics()[0].executing, 0);
}

TEST_F(QueueTest, AFullQueueIsTooManyRequests) {
    make(1, 1, 5);
    for (int i = 0; i < 10; ++i) send("jane", milliseconds(100));
    EXPECT_EQ(rejected["jane"], 4);
    EXPECT_EQ(last_rejection.code(), 429);
    EXPECT_EQ(last_rejection.details()->retry_after_seconds, 1);
    executor.advance(seconds(2));
    EXPECT_EQ(served["jane"], 6);
}

TEST_F(QueueTest, WithoutQueuesThereIsNoWaiting) {
    make(2, 0, 0);
    for (int i = 0; i < 5; ++i) send("jane", milliseconds(100));
    EXPECT_EQ(rejected["jane"], 3);
    executor.advance(seconds(1));
    EXPECT_EQ(served["jane"], 2);
}

TEST_F(QueueTest, WaitingEnds) {
    make(1, 4, 50);
    send("jane", seconds(60));
    send("bob", milliseconds(1));
    executor.advance(seconds(14));
    EXPECT_EQ(rejected["bob"], 0);
    executor.advance(seconds(2));
    EXPECT_EQ(rejected["bob"], 1);
    EXPECT_EQ(control->statistics()[0].waiting, 0);
    executor.advance(seconds(60));
    EXPECT_EQ(served["jane"], 1);
}

TEST_F(QueueTest, AnElephantDoesNotStarveMice) {
    make(2, 64, 1000);
    for (int i = 0; i < 500; ++i) send("elephant", milliseconds(50));
    for (int mouse = 0; mouse < 10; ++mouse) send("mouse" + std::to_string(mouse), milliseconds(50));
    // Ten mice alone would need 250 ms on two seats; the elephant's backlog is 12.5 s.
    executor.advance(seconds(2));
    int mice = 0;
    for (const auto& [user, count] : served) mice += user.starts_with("mouse") ? count : 0;
    EXPECT_EQ(mice, 10);
    EXPECT_GT(served["elephant"], 20);
}

TEST_F(QueueTest, LongRequestsWeighMore) {
    make(1, 64, 1000);
    for (int i = 0; i < 100; ++i) {
        send("long", milliseconds(400));
        send("short", milliseconds(40));
    }
    executor.advance(seconds(6));
    EXPECT_GT(served["short"], 6 * served["long"]);
    EXPECT_GT(served["long"], 4);
}

TEST(Defaults, SeatsAreSharedOut) {
    base::SeededRandom random(1);
    const FlowControl control(default_flow_control(random));
    std::map<std::string, int> seats;
    for (const auto& level : control.statistics()) seats[level.level] = level.seats;
    EXPECT_EQ(seats["workload-low"], 245);
    EXPECT_EQ(seats["catch-all"], 13);
    EXPECT_EQ(seats["system"], 74);
}

}  // namespace
}  // namespace keelson::access
