#include "tests/sim/simulation.h"

#include <cstdio>
#include <utility>

#include "kernel/access/identity.h"
#include "kernel/base/executor_simulated.h"
#include "kernel/base/sync_wait.h"
#include "kernel/client/in_process.h"
#include "kernel/object/json.h"
#include "kernel/resource/bootstrap.h"
#include "kernel/store/memory.h"
#include "tests/sim/invariants.h"
#include "tests/sim/nodes.h"

namespace keelson::sim {
namespace {

using base::Duration;
using base::Task;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr Duration kUpToConvergence = minutes(40);
constexpr Duration kSilence = minutes(10);
// A quiet moment is not convergence yet: deadlines, pauses after failures and
// the scheduler's second look at what fits nowhere (five minutes) may be under way.
constexpr Duration kCalm = seconds(330);
constexpr std::uint64_t kCallbacksInAMoment = 300'000;

// The clock without the jumps: for how long things have had time to happen.
class SteadyClock final : public base::Clock {
  public:
    explicit SteadyClock(base::Clock& real) : real_(real) {}
    [[nodiscard]] base::MonotonicTime now() const override { return real_.now() - jumped; }
    [[nodiscard]] base::WallTime wall_now() const override { return real_.wall_now() - jumped; }
    Duration jumped{};

  private:
    base::Clock& real_;
};

access::Identity user_identity() {
    return {"user", "", {"system:masters", "system:authenticated"}, {}};
}

class Simulation {
  public:
    explicit Simulation(const SimulationSettings& settings);
    Report run();
    // Then it never ends, and cannot be taken down.
    [[nodiscard]] bool is_livelocked() const { return is_livelocked_; }

  private:
    void choose_faults();
    void start_controllers();
    void start_scheduler();
    void make_trouble();
    Task<void> trouble();
    Task<void> one_trouble();
    Task<void> trouble_for_a_node();
    void jump(Duration length);

    void note(const SeenChange& change);
    void observe();
    [[nodiscard]] bool is_broken() const { return broken_ || steps_.broken(); }
    // Lets virtual time pass, watching every step.
    void pass(Duration length);
    void wait_for(Task<void> task);
    void converge();
    void describe(const std::string& key);
    void stay_silent();
    void end();

    SimulationSettings settings_;
    base::SimulatedExecutor executor_;
    SteadyClock steady_{executor_.clock()};
    base::SeededRandom random_;
    Dice dice_;
    Diary diary_;
    Faults faults_;
    std::unique_ptr<store::Store> store_;
    resource::NetworkSettings network_;
    resource::Verbs verbs_;
    resource::Subresources subresources_{verbs_, nullptr, nullptr};
    Ground ground_;
    bool is_calm_;
    Model model_;
    StepInvariants steps_;
    std::unique_ptr<client::Client> user_client_;
    std::unique_ptr<client::Client> controllers_client_;
    std::unique_ptr<client::Client> scheduler_client_;
    std::unique_ptr<Workload> workload_;
    std::unique_ptr<Nodes> nodes_;
    // The last of each is alive.
    std::vector<std::unique_ptr<ControllersProcess>> controllers_;
    std::vector<std::unique_ptr<SchedulerProcess>> schedulers_;
    std::optional<std::string> broken_;
    base::MonotonicTime moment_;
    std::uint64_t callbacks_in_moment_ = 0;
    bool troubles_ = false;
    bool is_livelocked_ = false;
    std::size_t tasks_ = 0;
};

std::unique_ptr<store::Store> make_store(base::SimulatedExecutor& executor) {
    store::MemoryOptions options;
    options.clock = &executor.clock();
    return store::make_memory_store(options);
}

Simulation::Simulation(const SimulationSettings& settings)
    : settings_(settings),
      executor_(settings.seed),
      random_(settings.seed * 3 + 1),
      dice_(settings.seed * 7 + 5),
      diary_(executor_.clock(), settings.prints_diary),
      faults_(dice_, diary_),
      store_(make_store(executor_)),
      verbs_(*store_, executor_.clock(), random_, network_),
      ground_{executor_, random_, faults_},
      is_calm_(settings.is_calm.value_or(dice_.chance(0.4))),
      model_(*store_, executor_.clock()),
      steps_({is_calm_}, model_, steady_),
      user_client_(client::make_in_process_client(verbs_, subresources_, user_identity())),
      controllers_client_(
          client::make_in_process_client(verbs_, subresources_, access::controller_manager_identity())),
      scheduler_client_(client::make_in_process_client(verbs_, subresources_, access::scheduler_identity())) {
    choose_faults();
    WorkloadSettings user;
    user.is_calm = is_calm_;
    user.recreates = settings.recreates.value_or(dice_.chance(0.15));
    user.crowds = settings.crowds.value_or(!is_calm_ && dice_.chance(0.3));
    user.has_quota = dice_.chance(0.2);
    user.longest_pause = seconds(dice_.between(2, 8));
    workload_ = std::make_unique<Workload>(user, *user_client_, model_, dice_, diary_);
    NodeSettings nodes;
    nodes.count = static_cast<int>(dice_.between(2, 5));
    nodes.breaks = is_calm_ ? 0 : 0.1;
    nodes.work_fails = dice_.chance(0.5) ? 0.2 : 0;
    nodes_ = std::make_unique<Nodes>(nodes, verbs_, subresources_, ground_);
    faults_.on_unknown_outcome = [this](const client::Address& address, object::Value sent) {
        steps_.see_unknown_outcome(address, sent);
    };
}

void Simulation::choose_faults() {
    FaultRates& rates = faults_.rates;
    const std::int64_t roughness = settings_.recreates.value_or(false) || dice_.chance(0.2) ? 3 : 1;
    const auto some = [this, roughness](std::int64_t most_percent) {
        const double rate = static_cast<double>(dice_.between(0, most_percent * 10 * roughness)) / 1000.0;
        return dice_.chance(0.3) ? 0.0 : rate;
    };
    rates.slow = some(40);
    rates.fails_before = some(10);
    rates.fails_after = some(6);
    rates.watch_lags = some(40);
    rates.watch_ends = some(80);
    rates.watch_expires = some(60);
    rates.longest_delay = seconds(dice_.between(1, 5));
}

void Simulation::start_controllers() {
    diary_.note("controllers start");
    controllers_.push_back(std::make_unique<ControllersProcess>("controllers", *controllers_client_,
                                                                settings_.wraps_controllers, ground_));
    controllers_.back()->start();
}

void Simulation::start_scheduler() {
    diary_.note("scheduler starts");
    schedulers_.push_back(std::make_unique<SchedulerProcess>("scheduler", *scheduler_client_,
                                                             settings_.wraps_scheduler, ground_));
    schedulers_.back()->start();
}

// --- What goes wrong.

void Simulation::jump(Duration length) {
    diary_.note("the clock jumps");
    steady_.jumped += length;
    // The simulated executor's clock is a manual one; timers in between come late, in their order.
    static_cast<base::ManualClock&>(executor_.clock()).advance(length);
}

Task<void> Simulation::trouble() {
    while (troubles_) {
        co_await base::sleep_for(dice_.milliseconds(1000, 25'000));
        if (!troubles_) break;
        auto troubling = one_trouble();
        co_await troubling;
    }
    --tasks_;
}

Task<void> Simulation::one_trouble() {
    const std::int64_t choice = dice_.between(0, 99);
    if (choice < 30) {
        diary_.note("controllers crash");
        controllers_.back()->crash();
        if (dice_.chance(0.6)) co_await base::sleep_for(dice_.milliseconds(0, 15'000));
        start_controllers();
    } else if (choice < 50) {
        diary_.note("scheduler crashes");
        schedulers_.back()->crash();
        if (dice_.chance(0.6)) co_await base::sleep_for(dice_.milliseconds(0, 10'000));
        start_scheduler();
    } else if (choice < 60) {
        jump(dice_.milliseconds(1000, is_calm_ ? 25'000 : 120'000));
    } else if (!is_calm_) {
        auto troubling = trouble_for_a_node();
        co_await troubling;
    }
}

Task<void> Simulation::trouble_for_a_node() {
    const std::string node = dice_.pick(nodes_->names());
    if (!nodes_->is_up(node)) co_return;
    const bool hangs = dice_.chance(0.5);
    diary_.note(node + (hangs ? " hangs" : " crashes"));
    if (hangs)
        nodes_->hang(node);
    else
        nodes_->crash(node);
    co_await base::sleep_for(dice_.milliseconds(1000, dice_.chance(0.7) ? 20'000 : 120'000));
    diary_.note(node + " comes back");
    nodes_->bring_back(node);
}

// --- Time.

void Simulation::note(const SeenChange& change) {
    const Seen& object = change.any();
    if (!settings_.prints_diary || object.resource == "coordination.k8s.io/leases" ||
        object.resource == "core/events")
        return;
    std::string text = std::string(!change.before ? "+ " : change.now ? "~ " : "- ") + object.key;
    if (object.is_being_deleted) text += " (being deleted)";
    if (object.resource == "core/pods")
        text += " on " + std::string(node_of_pod(object)) + " " + object.at({"status", "phase"}).to_string() +
                (is_ready_pod(object) ? " ready" : "");
    if (!object["spec"]["replicas"].is_unset())
        text += " replicas " + std::to_string(replicas_of(object)) + " available " +
                std::to_string(object.at({"status", "availableReplicas"}).as_integer());
    diary_.note(std::move(text));
}

void Simulation::observe() {
    if (executor_.clock().now() != moment_) {
        moment_ = executor_.clock().now();
        callbacks_in_moment_ = 0;
    }
    if (++callbacks_in_moment_ > kCallbacksInAMoment && !is_livelocked_) {
        is_livelocked_ = true;
        if (!broken_) broken_ = "time does not pass: a livelock";
    }
    const std::uint64_t before = model_.revision();
    model_.follow([this](const SeenChange& change) {
        note(change);
        steps_.see(change);
    });
    if (model_.revision() != before) steps_.see_running(*nodes_);
}

void Simulation::pass(Duration length) {
    const auto end = executor_.clock().now() + length;
    while (!is_broken() && executor_.clock().now() < end) {
        const auto watching = [this] {
            observe();
            return is_broken();
        };
        executor_.run_until(watching, end - executor_.clock().now());
        if (!is_broken() && executor_.clock().now() < end) executor_.advance(end - executor_.clock().now());
    }
}

void Simulation::wait_for(Task<void> task) {
    bool is_done = false;
    base::spawn(executor_, std::move(task), [&is_done] { is_done = true; });
    const auto watching = [this, &is_done] {
        observe();
        return is_done || is_livelocked_;
    };
    if (!executor_.run_until(watching, minutes(30)) && !broken_) broken_ = "a part of the simulation hangs";
}

void Simulation::converge() {
    std::optional<std::string> left;
    const auto begin = executor_.clock().now();
    while (!is_broken() && executor_.clock().now() - begin < kUpToConvergence) {
        pass(seconds(10));
        if (executor_.clock().now() - model_.last_real_write() < kCalm) {
            left = "the last write was to " + model_.last_real_key();
            continue;
        }
        left = unfinished_work(model_, steps_.succeeded());
        if (!left) return;
    }
    if (is_broken()) return;
    broken_ = "does not converge: " + *left;
    describe(left->substr(0, left->find(' ')));
}

// What it is about, and what belongs to that.
void Simulation::describe(const std::string& key) {
    const auto found = model_.everything().find(key);
    if (found == model_.everything().end()) return;
    for (const auto& [name, object] : model_.everything())
        if (name == key || object->controller_uid == found->second->uid)
            diary_.note(name + " " + object::to_json((*object)["spec"]) + " " +
                        object::to_json((*object)["status"]) +
                        object::to_json(object->at({"metadata", "annotations"})));
}

void Simulation::stay_silent() {
    const auto last = model_.last_real_write();
    pass(kSilence);
    if (!is_broken() && model_.last_real_write() != last)
        broken_ = "wrote " + model_.last_real_key() + " after everything had converged";
}

void Simulation::end() {
    troubles_ = false;
    faults_.is_on = false;
    workload_->stop();
    const auto all_ended = [this] {
        observe();
        return tasks_ == 0 || is_livelocked_;
    };
    executor_.run_until(all_ended, minutes(30));
    controllers_.back()->crash();
    schedulers_.back()->crash();
    wait_for(nodes_->stop());
    const auto all_gone = [this] {
        observe();
        if (is_livelocked_) return true;
        for (const auto& process : controllers_)
            if (!process->is_gone()) return false;
        for (const auto& process : schedulers_)
            if (!process->is_gone()) return false;
        return true;
    };
    if (!executor_.run_until(all_gone, minutes(60)) && !broken_) broken_ = "a part does not end";
    if (!is_livelocked_) executor_.run_until_idle();
}

Report Simulation::run() {
    const auto begin = executor_.clock().now();
    auto booted = base::sync_wait(executor_, resource::bootstrap(verbs_, resource::BootstrapSettings()));
    if (!booted) broken_ = "no bootstrap: " + booted.error().message();
    start_controllers();
    start_scheduler();
    nodes_->start();
    wait_for(workload_->prepare());
    pass(seconds(15));
    faults_.is_on = troubles_ = true;
    tasks_ = 2;
    base::spawn(executor_, trouble());
    base::spawn(executor_, workload_->act(), [this] { --tasks_; });
    pass(seconds(dice_.between(60, 200)));
    // Everything is mended; then it has to come to rest.
    diary_.note("the faults end");
    faults_.is_on = troubles_ = false;
    workload_->stop();
    const auto all_ended = [this] {
        observe();
        return tasks_ == 0 || is_broken();
    };
    executor_.run_until(all_ended, minutes(10));
    if (!is_broken()) wait_for(workload_->leave_in_order());
    converge();
    stay_silent();
    Report report;
    report.seed = settings_.seed;
    report.broken = steps_.broken() ? steps_.broken() : broken_;
    report.last_actions.assign(diary_.lines().begin(), diary_.lines().end());
    report.history_hash = model_.history_hash();
    report.revisions = model_.revision();
    report.virtual_time = executor_.clock().now() - begin;
    if (!is_livelocked_) end();
    if (!report.broken) report.broken = broken_;
    return report;
}

}  // namespace

Report simulate(const SimulationSettings& settings) {
    auto simulation = std::make_unique<Simulation>(settings);
    Report report = simulation->run();
    if (simulation->is_livelocked()) (void)simulation.release();
    return report;
}

std::string text_of(const Report& report) {
    std::string text =
        "seed " + std::to_string(report.seed) + ": " + report.broken.value_or("nothing is broken");
    text += "\nthe last actions:\n";
    for (const std::string& line : report.last_actions) text += "  " + line + "\n";
    text += "to see it again: keelson_sim --seed " + std::to_string(report.seed) + " --verbose\n";
    return text;
}

}  // namespace keelson::sim
