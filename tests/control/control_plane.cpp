#include "tests/control/control_plane.h"

#include <gtest/gtest.h>

#include "kernel/access/identity.h"
#include "kernel/base/sync_wait.h"
#include "kernel/client/collections.h"
#include "kernel/client/in_process.h"

namespace keelson::control {

using resource::Outcome;
using resource::Target;

ControlPlane::ControlPlane(std::uint64_t seed)
    : cluster({}, seed),
      client(client::make_in_process_client(*cluster.verbs, *cluster.subresources,
                                            access::controller_manager_identity())),
      informers(client::Informers::make(*client, cluster.executor, cluster.random)),
      surroundings{*client, *informers, cluster.executor, cluster.random, metrics},
      engine(Engine::make(surroundings)) {}

ControlPlane::~ControlPlane() {
    base::sync_wait(cluster.executor, engine->stop());
    base::sync_wait(cluster.executor, informers->stop());
    settle();
}

void ControlPlane::start() {
    base::sync_wait(cluster.executor, engine->start());
    settle();
}

Outcome ControlPlane::get(const Target& target) {
    settle();
    Outcome outcome = cluster.get(target);
    EXPECT_TRUE(outcome.ok()) << outcome.error;
    return outcome;
}

Outcome ControlPlane::create(const Target& target, std::string_view json) {
    settle();
    Outcome outcome = cluster.create(target, json);
    EXPECT_TRUE(outcome.ok()) << outcome.error;
    settle();
    return outcome;
}

Outcome ControlPlane::merge(const Target& target, std::string_view json) {
    settle();
    Outcome outcome = cluster.patch(target, resource::PatchType::merge, json);
    EXPECT_TRUE(outcome.ok()) << outcome.error;
    settle();
    return outcome;
}

Outcome ControlPlane::remove(const Target& target, const resource::DeleteOptions& options) {
    settle();
    Outcome outcome = cluster.remove(target, options);
    EXPECT_TRUE(outcome.ok()) << outcome.error;
    settle();
    return outcome;
}

std::vector<std::string> ControlPlane::names(std::string_view resource, std::string_view namespace_name) {
    settle();
    return cluster.list({resource, namespace_name, ""}).names;
}

std::vector<std::string> ControlPlane::events_about(std::string_view name, std::string_view namespace_name) {
    settle();
    std::vector<std::string> texts;
    for (const std::string& event : names("v1/events", namespace_name)) {
        const Outcome outcome = get({"v1/events", namespace_name, event});
        if (outcome.text({"involvedObject", "name"}) == name)
            texts.push_back(outcome.text({"reason"}) + ": " + outcome.text({"message"}));
    }
    return texts;
}

void ControlPlane::set_pod_phase(std::string_view name, std::string_view phase, bool ready,
                                 std::string_view namespace_name) {
    const std::string condition = ready ? "True" : "False";
    const std::string now = "2026-01-01T00:00:00Z";
    merge({"v1/pods/status", namespace_name, name},
          R"({"status":{"phase":")" + std::string(phase) + R"(","conditions":[{"type":"Ready","status":")" +
              condition + R"(","lastTransitionTime":")" + now + R"("}]}})");
}

void ControlPlane::run_pods(std::string_view namespace_name) {
    for (const std::string& name : names("v1/pods", namespace_name)) {
        // One that became ready may have made another one superfluous.
        const Outcome pod = cluster.get({"v1/pods", namespace_name, name});
        if (!pod.ok()) continue;
        const std::string phase = pod.text({"status", "phase"});
        if (phase == "Running" || phase == "Succeeded" || phase == "Failed") continue;
        if (!pod.text({"metadata", "deletionTimestamp"}).empty()) continue;
        set_pod_phase(name, "Running", true, namespace_name);
    }
}

}  // namespace keelson::control
