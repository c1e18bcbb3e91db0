// A user who never rests: makes, changes and deletes objects of all kinds by the dice. What he asks for is
// always allowed; what comes of it is for the invariants to judge.
#pragma once

#include <string>
#include <vector>

#include "kernel/client/client.h"
#include "tests/sim/diary.h"
#include "tests/sim/dice.h"
#include "tests/sim/model.h"

namespace keelson::sim {

struct WorkloadSettings {
    // Leaves pods and nodes alone: no evictions, no taints, no priorities.
    bool is_calm = false;
    // Deletes mostly to make the same again at once.
    bool recreates = false;
    // Makes more pods than fit, in bursts.
    bool crowds = false;
    // The default namespace has a quota of pods, until the end.
    bool has_quota = false;
    base::Duration longest_pause = std::chrono::seconds(6);
};

class Workload {
  public:
    // All must outlive the tasks.
    Workload(const WorkloadSettings& settings, client::Client& api, const Model& model, Dice& dice,
             Diary& diary)
        : settings_(settings), api_(api), model_(model), dice_(dice), diary_(diary) {}

    base::Task<void> prepare();
    // Acts until stop().
    base::Task<void> act();
    void stop() { is_stopped_ = true; }
    // Undoes what would keep the cluster from calming down: cordons, taints, cron jobs, pauses.
    base::Task<void> leave_in_order();

  private:
    using Object = client::Client::Object;

    base::Task<void> one_action();
    base::Task<void> act_on_deployments();
    base::Task<void> act_on_others();
    base::Task<void> act_on_jobs();
    base::Task<void> act_on_namespaces();
    base::Task<void> act_on_nodes();
    base::Task<void> evict_something();

    base::Task<void> create(client::Address address, std::string json);
    base::Task<void> merge(client::Address address, std::string json);
    base::Task<void> remove(client::Address address, std::string policy);
    base::Task<void> recreate(SeenPointer object);

    [[nodiscard]] std::string some_namespace();
    [[nodiscard]] std::string some_policy();
    [[nodiscard]] std::string some_image() { return "i" + std::to_string(dice_.between(1, 4)); }
    // One of the objects that nobody controls; null when there are none.
    [[nodiscard]] SeenPointer some(std::string_view resource);
    [[nodiscard]] std::string pod_template(const std::string& app, bool ends);
    [[nodiscard]] std::string deployment_json(const std::string& name);

    WorkloadSettings settings_;
    client::Client& api_;
    const Model& model_;
    Dice& dice_;
    Diary& diary_;
    bool is_stopped_ = false;
};

}  // namespace keelson::sim
