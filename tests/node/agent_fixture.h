// A node's agent on a cluster in virtual time, with plugins in memory.
#pragma once

#include <gtest/gtest.h>

#include "kernel/node/node_agent.h"
#include "tests/node/fake_runtime.h"
#include "tests/node/node_cluster.h"

namespace keelson::node {

class AgentTest : public ::testing::Test {
  protected:
    AgentTest()
        : client_(client::make_in_process_client(*cluster.verbs, *cluster.subresources,
                                                 access::node_identity("n1"))) {
        fake.images.present["docker.io/library/web:1"] = FakeImages::make("docker.io/library/web:1");
    }
    ~AgentTest() override { stop(); }

    void start() {
        NodeSettings settings;
        settings.name = "n1";
        settings.root_directory = directory.path() + "/root";
        settings.log_directory = directory.path() + "/logs";
        settings.static_pod_directory = directory.path() + "/manifests";
        settings.addresses = {"192.0.2.1"};
        adjust(settings);
        parts_ =
            std::make_unique<NodeParts>(NodeParts{*client_, cluster.executor, cluster.random, metrics,
                                                  fake.runtime, fake.images, fake.network, fake.drivers});
        agent = NodeAgent::make(std::move(settings), *parts_);
        ended_ = {};
        base::spawn(cluster.executor, agent->run(), [ended = ended_] { ended.complete(true); });
        cluster.executor.run_until_idle();
    }
    void stop() {
        if (!agent) return;
        agent->stop();
        bool has_ended = false;
        base::spawn(cluster.executor, wait_for(ended_), [&] { has_ended = true; });
        ASSERT_TRUE(cluster.executor.run_until([&] { return has_ended; }, std::chrono::minutes(5)));
        agent.reset();
        parts_.reset();
    }

    // A pod bound to the node, with one container `web` unless the spec says otherwise.
    std::string create(const std::string& name, const std::string& more_spec = {},
                       const std::string& containers = R"([{"name":"web","image":"web:1"}])") {
        const resource::Outcome made = cluster.create(
            {"v1/pods", "default", {}},
            R"({"metadata":{"name":")" + name +
                R"("},"spec":{"nodeName":"n1","automountServiceAccountToken":false,"containers":)" +
                containers + (more_spec.empty() ? "" : "," + more_spec) + "}}");
        EXPECT_TRUE(made.ok()) << made.error;
        cluster.executor.run_until_idle();
        return made.text({"metadata", "uid"});
    }
    resource::Outcome pod(const std::string& name) { return cluster.get({"v1/pods", "default", name}); }
    std::string phase(const std::string& name) { return pod(name).text({"status", "phase"}); }
    // The status of a container of the pod; unset when there is none.
    object::Value container(const resource::Outcome& pod, std::string_view name) {
        for (const std::string_view list :
             {"containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"})
            for (const object::Value item : pod["status"][list].items())
                if (item["name"].as_string() == name) return item;
        return {};
    }
    std::string condition(const std::string& pod_name, std::string_view type) {
        const resource::Outcome found = pod(pod_name);
        for (const object::Value item : found["status"]["conditions"].items())
            if (item["type"].as_string() == type) return item["status"].to_string();
        return {};
    }
    bool until(const std::function<bool()>& done, base::Duration limit = std::chrono::minutes(2)) {
        return cluster.executor.run_until(done, limit);
    }
    // As a plugin does when something of the pod has changed by itself.
    void look_at(const std::string& uid) {
        agent->reconcile("pod/" + uid);
        cluster.executor.run_until_idle();
    }
    // The container ends by itself.
    void end(const std::string& uid, const std::string& container_name, std::int32_t exit_code) {
        fake.runtime.set_exited(fake.runtime.find(container_name)->id, exit_code);
        look_at(uid);
    }

    resource::Cluster cluster;
    base::Metrics metrics;
    std::function<void(NodeSettings&)> adjust = [](NodeSettings&) {};
    bool is_short_of_memory = false;
    FakeNode fake;
    TemporaryDirectory directory;
    std::unique_ptr<NodeAgent> agent;

  private:
    static base::Task<void> wait_for(base::Completion<bool> ended) { co_await ended; }

    std::unique_ptr<client::Client> client_;
    std::unique_ptr<NodeParts> parts_;
    base::Completion<bool> ended_;
};

}  // namespace keelson::node
