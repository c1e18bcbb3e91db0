// The life of pods on a node.
#include "tests/node/agent_fixture.h"

namespace keelson::node {
namespace {

TEST_F(AgentTest, TheNodeRegistersItselfAndRenewsItsLease) {
    start();
    const resource::Outcome node = cluster.get({"v1/nodes", {}, "n1"});
    ASSERT_TRUE(node.ok()) << node.error;
    EXPECT_EQ(node.text({"metadata", "labels", "kubernetes.io/hostname"}), "n1");
    EXPECT_EQ(node["status"]["capacity"]["pods"].as_string(), "110");
    EXPECT_EQ(node["status"]["addresses"].at(0)["address"].as_string(), "192.0.2.1");
    const auto renewed = [&] {
        return cluster.get({"coordination.k8s.io/v1/leases", "kube-node-lease", "n1"})
            .text({"spec", "renewTime"});
    };
    const std::string first = renewed();
    EXPECT_FALSE(first.empty());
    cluster.executor.advance(std::chrono::seconds(11));
    EXPECT_GT(renewed(), first);
}

TEST_F(AgentTest, TheNodeTellsWhereItsDnsServerIsAsLongAsItHasOne) {
    const auto label = [this] {
        return cluster.get({"v1/nodes", {}, "n1"}).text({"metadata", "labels", "keelson.dev/dns-port"});
    };
    adjust = [](NodeSettings& settings) { settings.dns_port = 10053; };
    start();
    EXPECT_EQ(label(), "10053");
    stop();
    adjust = [](NodeSettings&) {};
    start();
    EXPECT_EQ(label(), "");
}

// Plugins take up calls that are under way together in any order.
TEST_F(AgentTest, ThePodsNetworkIsToldTheLastOfItsPeersHoweverFastTheyChange) {
    start();
    const std::string v1_nodes = "v1/nodes";
    ASSERT_TRUE(cluster
                    .patch({v1_nodes, {}, "n1"}, resource::PatchType::merge,
                           R"({"spec":{"podCIDR":"10.244.0.0/24","podCIDRs":["10.244.0.0/24"]}})")
                    .ok());
    cluster.executor.run_until_idle();
    EXPECT_EQ(fake.network.node.pod_cidrs, std::vector<std::string>{"10.244.0.0/24"});
    fake.network.holds = true;
    ASSERT_TRUE(cluster.create({v1_nodes, {}, {}}, R"({"metadata":{"name":"n2"}})").ok());
    cluster.executor.run_until_idle();
    ASSERT_TRUE(cluster
                    .patch({v1_nodes, {}, "n2"}, resource::PatchType::merge,
                           R"({"spec":{"podCIDR":"10.244.1.0/24","podCIDRs":["10.244.1.0/24"]}})")
                    .ok());
    cluster.executor.run_until_idle();
    // The youngest first, as long as there is one that waits.
    for (bool has_found = true; has_found;) {
        has_found = false;
        for (std::size_t at = fake.network.held.size(); at-- > 0 && !has_found;)
            has_found = fake.network.held[at].complete(true);
        cluster.executor.run_until_idle();
    }
    ASSERT_EQ(fake.network.peers.size(), 1U);
    EXPECT_EQ(fake.network.peers[0].pod_cidrs, std::vector<std::string>{"10.244.1.0/24"});
    // One that is gone is forgotten.
    fake.network.holds = false;
    ASSERT_TRUE(cluster.remove({v1_nodes, {}, "n2"}).ok());
    cluster.executor.run_until_idle();
    EXPECT_TRUE(fake.network.peers.empty());
}

// Anyone's pods wait for an address until then.
TEST_F(AgentTest, ThePodsNetworkIsToldAgainAfterARefusalAndWhenItsPluginIsANewInstance) {
    start();
    fake.log.fail("configure", {base::Reason::service_unavailable, "the tables are locked"}, 2);
    ASSERT_TRUE(cluster
                    .patch({"v1/nodes", {}, "n1"}, resource::PatchType::merge,
                           R"({"spec":{"podCIDR":"10.244.0.0/24","podCIDRs":["10.244.0.0/24"]}})")
                    .ok());
    cluster.executor.run_until_idle();
    EXPECT_TRUE(fake.network.node.pod_cidrs.empty());
    cluster.executor.advance(std::chrono::seconds(3));
    const std::vector<std::string> cidrs{"10.244.0.0/24"};
    EXPECT_EQ(fake.network.node.pod_cidrs, cidrs) << "refused twice, told without any event";

    fake.network.node = {};
    agent->network_changed();
    cluster.executor.run_until_idle();
    EXPECT_EQ(fake.network.node.pod_cidrs, cidrs);

    // The instance ends while it is being told.
    fake.network.holds = true;
    agent->network_changed();
    cluster.executor.run_until_idle();
    ASSERT_EQ(fake.network.held.size(), 1U);
    fake.network.holds = false;
    const std::size_t told = fake.log.count("configure");
    agent->network_changed();
    EXPECT_TRUE(fake.network.held[0].complete(true));
    cluster.executor.run_until_idle();
    EXPECT_EQ(fake.log.count("configure"), told + 1) << "and so is the next one";
}

TEST_F(AgentTest, ANodeWithoutItsRuntimeIsNotReady) {
    fake.log.fail("info", {base::Reason::service_unavailable, "no plugin offers keelson.runtime/0"}, 1000);
    start();
    const resource::Outcome node = cluster.get({"v1/nodes", {}, "n1"});
    for (const object::Value condition : node["status"]["conditions"].items())
        if (condition["type"].as_string() == "Ready") {
            EXPECT_EQ(condition["status"].as_string(), "False");
            EXPECT_EQ(condition["message"].as_string(),
                      "container runtime is down: no plugin offers keelson.runtime/0");
        }
}

TEST_F(AgentTest, APodRunsAndSaysSo) {
    start();
    create("a");
    const resource::Outcome now = pod("a");
    EXPECT_EQ(now.text({"status", "phase"}), "Running");
    EXPECT_EQ(now.text({"status", "podIP"}), "10.244.0.2");
    EXPECT_EQ(now.text({"status", "hostIP"}), "192.0.2.1");
    EXPECT_EQ(now.text({"status", "qosClass"}), "BestEffort");
    EXPECT_EQ(condition("a", "Ready"), "True");
    const object::Value web = container(now, "web");
    EXPECT_TRUE(web["ready"].as_boolean());
    EXPECT_TRUE(web["state"]["running"].is_set());
    EXPECT_EQ(web["imageID"].as_string(), "docker.io/library/web:1@sha256:docker.io/library/web:1");
    EXPECT_TRUE(web["containerID"].as_string().starts_with("fake://"));
    EXPECT_EQ(fake.log.count("run_sandbox"), 1u);
    EXPECT_EQ(fake.log.count("create_container"), 1u);
}

TEST_F(AgentTest, APodIsReadyAfterFewWrites) {
    start();
    const std::uint64_t before = std::stoull(
        cluster.create({"v1/configmaps", "default", {}}, R"({"metadata":{"name":"x"}})").version());
    create("a");
    EXPECT_LE(std::stoull(pod("a").version()) - before, 8u) << "the pod, its status, and four events";
}

TEST_F(AgentTest, ADeletedPodIsStoppedWithItsGraceAndLeavesNothing) {
    start();
    create("a", R"("terminationGracePeriodSeconds":7)");
    ASSERT_TRUE(cluster.remove({"v1/pods", "default", "a"}).ok());
    ASSERT_TRUE(until([&] { return pod("a").code == 404; }));
    EXPECT_EQ(fake.log.count("stop_container web 7"), 1u);
    EXPECT_TRUE(fake.runtime.sandboxes.empty());
    EXPECT_TRUE(fake.network.attached.empty());
    EXPECT_TRUE(std::filesystem::is_empty(directory.path() + "/root/pods"));
    EXPECT_TRUE(std::filesystem::is_empty(directory.path() + "/logs"));
}

TEST_F(AgentTest, ADeletionWithoutGraceKillsAtOnce) {
    start();
    create("a");
    resource::DeleteOptions options;
    options.grace_period_seconds = 0;
    (void)cluster.remove({"v1/pods", "default", "a"}, options);
    ASSERT_TRUE(until([&] { return fake.runtime.sandboxes.empty(); }));
    EXPECT_EQ(pod("a").code, 404);
}

TEST_F(AgentTest, ACrashingContainerIsRestartedWithGrowingPauses) {
    start();
    const std::string uid = create("a");
    end(uid, "web", 1);
    EXPECT_EQ(container(pod("a"), "web")["restartCount"].as_integer(), 1) << "the first restart is at once";
    end(uid, "web", 1);
    const resource::Outcome held_back = pod("a");
    const object::Value waiting = container(held_back, "web")["state"]["waiting"];
    EXPECT_EQ(waiting["reason"].as_string(), "CrashLoopBackOff");
    EXPECT_EQ(waiting["message"].as_string(),
              "back-off 10s restarting failed container=web pod=a_default(" + uid + ")");
    EXPECT_EQ(container(held_back, "web")["lastState"]["terminated"]["exitCode"].as_integer(), 1);
    cluster.executor.advance(std::chrono::seconds(9));
    EXPECT_EQ(container(pod("a"), "web")["restartCount"].as_integer(), 1);
    cluster.executor.advance(std::chrono::seconds(2));
    EXPECT_EQ(container(pod("a"), "web")["restartCount"].as_integer(), 2);
    EXPECT_EQ(fake.runtime.containers.size(), 2u) << "the last two attempts are kept";
}

TEST_F(AgentTest, APodThatNeverRestartsSucceedsOrFails) {
    start();
    const std::string good = create("good", R"("restartPolicy":"Never")");
    end(good, "web", 0);
    EXPECT_EQ(phase("good"), "Succeeded");
    EXPECT_EQ(condition("good", "Ready"), "False");
    EXPECT_EQ(container(pod("good"), "web")["state"]["terminated"]["reason"].as_string(), "Completed");
    const std::string bad =
        create("bad", R"("restartPolicy":"OnFailure")", R"([{"name":"other","image":"web:1"}])");
    end(bad, "other", 3);
    EXPECT_EQ(phase("bad"), "Running");
    end(bad, "other", 0);
    EXPECT_EQ(phase("bad"), "Succeeded");
    EXPECT_TRUE(fake.network.attached.empty()) << "an ended pod has given its address back";
}

TEST_F(AgentTest, InitContainersRunOneAfterTheOther) {
    start();
    const std::string uid =
        create("a", R"("initContainers":[{"name":"one","image":"web:1"},{"name":"two","image":"web:1"}])");
    EXPECT_EQ(phase("a"), "Pending");
    EXPECT_EQ(fake.runtime.containers.size(), 1u);
    EXPECT_EQ(container(pod("a"), "web")["state"]["waiting"]["reason"].as_string(), "PodInitializing");
    EXPECT_EQ(condition("a", "Initialized"), "False");
    end(uid, "one", 0);
    EXPECT_NE(fake.runtime.find("two"), nullptr);
    EXPECT_EQ(fake.runtime.find("web"), nullptr);
    end(uid, "two", 0);
    EXPECT_NE(fake.runtime.find("web"), nullptr);
    EXPECT_EQ(phase("a"), "Running");
    EXPECT_EQ(condition("a", "Initialized"), "True");
}

TEST_F(AgentTest, AFailedInitContainerFailsAPodThatNeverRestarts) {
    start();
    const std::string uid =
        create("a", R"("restartPolicy":"Never","initContainers":[{"name":"one","image":"web:1"}])");
    end(uid, "one", 2);
    EXPECT_EQ(phase("a"), "Failed");
    EXPECT_EQ(fake.runtime.find("web"), nullptr);
}

TEST_F(AgentTest, SidecarsStartFirstAndEndLast) {
    start();
    const std::string uid = create(
        "a",
        R"("restartPolicy":"Never","initContainers":[{"name":"side","image":"web:1","restartPolicy":"Always"}])");
    EXPECT_NE(fake.runtime.find("side"), nullptr);
    EXPECT_NE(fake.runtime.find("web"), nullptr);
    end(uid, "side", 1);
    EXPECT_EQ(container(pod("a"), "side")["restartCount"].as_integer(), 1);
    end(uid, "web", 0);
    ASSERT_TRUE(until([&] { return phase("a") == "Succeeded"; }));
    EXPECT_EQ(fake.log.count("stop_container side"), 1u);
}

TEST_F(AgentTest, AMissingImageIsPulledAndAWrongOneHeldBack) {
    fake.images.offer("docker.io/library/new:1");
    start();
    create("a", {}, R"([{"name":"web","image":"new:1"}])");
    EXPECT_EQ(phase("a"), "Running");
    create("b", {}, R"([{"name":"web","image":"wrong:1"}])");
    EXPECT_EQ(container(pod("b"), "web")["state"]["waiting"]["reason"].as_string(), "ErrImagePull");
    cluster.executor.advance(std::chrono::seconds(5));
    EXPECT_EQ(container(pod("b"), "web")["state"]["waiting"]["reason"].as_string(), "ImagePullBackOff");
    EXPECT_TRUE(container(pod("b"), "web")["state"]["waiting"]["message"].as_string().starts_with(
        "Back-off pulling image \"wrong:1\": ErrImagePull: "));
    fake.images.offer("docker.io/library/wrong:1");
    ASSERT_TRUE(until([&] { return phase("b") == "Running"; }));
    create("c", {}, R"([{"name":"web","image":"Not A Name"}])");
    EXPECT_EQ(container(pod("c"), "web")["state"]["waiting"]["reason"].as_string(), "InvalidImageName");
    create("d", {}, R"([{"name":"web","image":"none:1","imagePullPolicy":"Never"}])");
    EXPECT_EQ(container(pod("d"), "web")["state"]["waiting"]["reason"].as_string(), "ErrImageNeverPull");
}

TEST_F(AgentTest, AMissingConfigMapHoldsTheContainerUntilItComes) {
    start();
    create(
        "a", {},
        R"([{"name":"web","image":"web:1","env":[{"name":"X","valueFrom":{"configMapKeyRef":{"name":"c","key":"k"}}}]}])");
    const resource::Outcome held_back = pod("a");
    EXPECT_EQ(container(held_back, "web")["state"]["waiting"]["reason"].as_string(),
              "CreateContainerConfigError");
    EXPECT_EQ(container(held_back, "web")["state"]["waiting"]["message"].as_string(),
              "configmap \"c\" not found");
    (void)cluster.create({"v1/configmaps", "default", {}}, R"({"metadata":{"name":"c"},"data":{"k":"v"}})");
    ASSERT_TRUE(until([&] { return phase("a") == "Running"; }));
}

TEST_F(AgentTest, FailuresOfTheRuntimeAreToldAndTriedAgain) {
    fake.log.fail("run_sandbox", {base::Reason::internal_error, "no namespaces left"});
    fake.log.fail("create_container", {base::Reason::internal_error, "no such device"});
    start();
    create("a");
    ASSERT_TRUE(until([&] { return phase("a") == "Running"; }));
    EXPECT_EQ(fake.log.count("run_sandbox"), 2u);
    EXPECT_EQ(fake.log.count("create_container"), 2u);
}

TEST_F(AgentTest, ProbesDecideWhatIsReadyAndWhatIsRestarted) {
    std::int32_t ready = 1;
    std::int32_t alive = 0;
    fake.runtime.on_exec = [&](const ExecRequest& request) {
        return FakeRuntime::ExecAnswer{request.command.front() == "ready" ? ready : alive, "text", ""};
    };
    start();
    create("a", {}, R"([{"name":"web","image":"web:1",
        "readinessProbe":{"exec":{"command":["ready"]},"periodSeconds":1},
        "livenessProbe":{"exec":{"command":["alive"]},"periodSeconds":1,"failureThreshold":2}}])");
    cluster.executor.advance(std::chrono::seconds(3));
    EXPECT_EQ(condition("a", "Ready"), "False");
    EXPECT_EQ(condition("a", "ContainersReady"), "False");
    ready = 0;
    cluster.executor.advance(std::chrono::seconds(2));
    EXPECT_EQ(condition("a", "Ready"), "True");
    alive = 1;
    cluster.executor.advance(std::chrono::seconds(4));
    alive = 0;
    EXPECT_EQ(container(pod("a"), "web")["restartCount"].as_integer(), 1);
    cluster.executor.advance(std::chrono::seconds(3));
    EXPECT_EQ(condition("a", "Ready"), "True");
}

TEST_F(AgentTest, APodThatDoesNotFitIsRefused) {
    start();
    create("a", {}, R"([{"name":"web","image":"web:1","resources":{"requests":{"cpu":"100000"}}}])");
    EXPECT_EQ(phase("a"), "Failed");
    EXPECT_EQ(pod("a").text({"status", "reason"}), "OutOfcpu");
    EXPECT_EQ(fake.log.count("run_sandbox"), 0u);
}

TEST_F(AgentTest, ADeadlineEndsAPod) {
    start();
    create("a", R"("activeDeadlineSeconds":5)");
    cluster.executor.advance(std::chrono::seconds(10));
    EXPECT_EQ(phase("a"), "Failed");
    EXPECT_EQ(pod("a").text({"status", "reason"}), "DeadlineExceeded");
}

TEST_F(AgentTest, ARestartedAgentAdoptsWhatRuns) {
    start();
    create("a");
    create("gone");
    const std::string id = fake.runtime.find("web")->id;
    stop();
    resource::DeleteOptions options;
    options.grace_period_seconds = 0;
    (void)cluster.remove({"v1/pods", "default", "gone"}, options);
    start();
    ASSERT_TRUE(until([&] { return fake.runtime.sandboxes.size() == 1; })) << "the other pod is ended";
    EXPECT_EQ(phase("a"), "Running");
    EXPECT_EQ(fake.log.count("create_container"), 2u);
    EXPECT_EQ(container(pod("a"), "web")["restartCount"].as_integer(), 0);
    EXPECT_EQ(pod("a").text({"status", "podIP"}), "10.244.0.2");
}

TEST_F(AgentTest, ARestartOfTheAgentLeavesAContainerAsReadyAsItWas) {
    std::int32_t code = 0;
    fake.runtime.on_exec = [&](const ExecRequest&) { return FakeRuntime::ExecAnswer{code, "text", ""}; };
    start();
    create("a", {}, R"([{"name":"web","image":"web:1",
        "startupProbe":{"exec":{"command":["up"]},"initialDelaySeconds":20},
        "readinessProbe":{"exec":{"command":["ready"]},"initialDelaySeconds":20,"periodSeconds":1}}])");
    cluster.executor.advance(std::chrono::seconds(50));
    ASSERT_EQ(condition("a", "Ready"), "True");
    stop();
    code = 1;
    const std::string before = object::to_json(pod("a")["status"]);
    start();
    EXPECT_EQ(condition("a", "Ready"), "True");
    EXPECT_EQ(object::to_json(pod("a")["status"]), before);
    // Its probe goes on at once: the delay was over before.
    cluster.executor.advance(std::chrono::seconds(4));
    EXPECT_EQ(condition("a", "Ready"), "False");
    EXPECT_TRUE(container(pod("a"), "web")["started"].as_boolean()) << "that does not come back";
    stop();
    code = 0;
    start();
    cluster.executor.advance(std::chrono::seconds(1));
    EXPECT_EQ(condition("a", "Ready"), "True");
}

// The process that made the container was killed before it could start it.
TEST_F(AgentTest, ADeletedPodDoesNotWaitForAContainerThatNeverStarted) {
    start();
    create("a");
    stop();
    fake.runtime.find("web")->phase = ContainerPhase::created;
    ASSERT_TRUE(cluster.remove({"v1/pods", "default", "a"}).ok());
    start();
    EXPECT_TRUE(until([&] { return pod("a").code == 404; }));
    EXPECT_TRUE(fake.runtime.sandboxes.empty());
}

TEST_F(AgentTest, APodGetsANewSandboxWhenItsOwnIsLost) {
    start();
    const std::string uid = create("a");
    fake.runtime.lose_everything();
    stop();
    start();
    ASSERT_TRUE(until([&] { return fake.log.count("run_sandbox") == 2; }));
    ASSERT_TRUE(until([&] { return condition("a", "Ready") == "True"; }));
    EXPECT_EQ(container(pod("a"), "web")["restartCount"].as_integer(), 1);
}

TEST_F(AgentTest, ChangedResourcesReachTheRunningContainer) {
    start();
    create(
        "a", {},
        R"([{"name":"web","image":"web:1","resources":{"limits":{"memory":"64Mi"},"requests":{"memory":"64Mi"}}}])");
    const std::string id = fake.runtime.find("web")->id;
    EXPECT_EQ(fake.runtime.configs.at(id).limits.memory_limit_bytes, 64 << 20);
    const resource::Outcome resized = cluster.patch(
        {"v1/pods/resize", "default", "a"}, resource::PatchType::strategic,
        R"({"spec":{"containers":[{"name":"web","resources":{"limits":{"memory":"96Mi"},"requests":{"memory":"96Mi"}}}]}})");
    ASSERT_TRUE(resized.ok()) << resized.error;
    ASSERT_TRUE(until([&] { return fake.runtime.updated_limits.contains(id); }));
    EXPECT_EQ(fake.runtime.updated_limits.at(id).memory_limit_bytes, 96 << 20);
    EXPECT_EQ(container(pod("a"), "web")["restartCount"].as_integer(), 0);
    EXPECT_EQ(container(pod("a"), "web")["resources"]["limits"]["memory"].as_string(), "96Mi");
}

TEST_F(AgentTest, AChangeThatTheNodeHasNoRoomForWaits) {
    start();
    const auto sized = [](const std::string& memory) {
        return R"([{"name":"web","resources":{"requests":{"memory":")" + memory + R"("}}}])";
    };
    const auto image = [](std::string containers) { return containers.insert(2, R"("image":"web:1",)"); };
    create("a", {}, image(sized("64Mi")));
    const auto resize = [&](const std::string& memory) {
        const resource::Outcome resized =
            cluster.patch({"v1/pods/resize", "default", "a"}, resource::PatchType::strategic,
                          R"({"spec":{"containers":)" + sized(memory) + "}}");
        ASSERT_TRUE(resized.ok()) << resized.error;
        cluster.executor.run_until_idle();
    };
    const auto pending = [&] {
        const resource::Outcome now = pod("a");
        for (const object::Value item : now["status"]["conditions"].items())
            if (item["type"].as_string() == "PodResizePending")
                return std::string(item["reason"].as_string()) + ": " + item["message"].to_string();
        return std::string();
    };
    resize("1Pi");
    EXPECT_TRUE(pending().starts_with("Infeasible: Node didn't have enough capacity: memory, requested: "))
        << pending();
    EXPECT_EQ(container(pod("a"), "web")["allocatedResources"]["memory"].as_string(), "64Mi");
    // Another one leaves too little.
    const std::int64_t there = read_machine_facts().memory_bytes - (200 << 20);
    create("b", {}, image(sized(std::to_string(there - (100 << 20)))));
    resize("256Mi");
    EXPECT_TRUE(pending().starts_with("Deferred: Node didn't have enough resource: memory, requested: "))
        << pending();
    stop();
    start();
    EXPECT_TRUE(pending().starts_with("Deferred: ")) << "an earlier process's agreement holds";
    cluster.remove({"v1/pods", "default", "b"});
    ASSERT_TRUE(until([&] { return pending().empty(); }, std::chrono::minutes(5)));
    EXPECT_EQ(container(pod("a"), "web")["allocatedResources"]["memory"].as_string(), "256Mi");
}

TEST_F(AgentTest, AManifestIsAPodAsLongAsItIsThere) {
    const std::string path = directory.path() + "/manifests/own.yaml";
    ASSERT_TRUE(base::make_directory(directory.path() + "/manifests"));
    const auto write = [&](const std::string& variable) {
        ASSERT_TRUE(base::write_file_atomic(
            path,
            "apiVersion: v1\nkind: Pod\nmetadata: {name: own}\nspec:\n  terminationGracePeriodSeconds: 1\n"
            "  containers: [{name: web, image: 'web:1', env: [{name: A, value: " +
                variable + "}]}]\n"));
    };
    write("one");
    start();
    ASSERT_TRUE(until([&] { return phase("own-n1") == "Running"; }));
    const std::string first = pod("own-n1").text({"metadata", "annotations", "kubernetes.io/config.mirror"});
    EXPECT_FALSE(first.empty());
    write("two");
    ASSERT_TRUE(until([&] {
        return pod("own-n1").ok() && phase("own-n1") == "Running" &&
               pod("own-n1").text({"metadata", "annotations", "kubernetes.io/config.mirror"}) != first;
    }));
    ASSERT_TRUE(base::remove_file(path));
    ASSERT_TRUE(until([&] { return pod("own-n1").code == 404; }));
    EXPECT_TRUE(fake.runtime.sandboxes.empty());
}

TEST_F(AgentTest, AChangedImageRestartsItsContainer) {
    fake.images.offer("docker.io/library/web:2");
    start();
    create("a");
    (void)cluster.patch({"v1/pods", "default", "a"}, resource::PatchType::strategic,
                        R"({"spec":{"containers":[{"name":"web","image":"web:2"}]}})");
    ASSERT_TRUE(until([&] { return container(pod("a"), "web")["restartCount"].as_integer() == 1; }));
    EXPECT_EQ(container(pod("a"), "web")["image"].as_string(), "web:2");
}

}  // namespace
}  // namespace keelson::node
