#include "tests/sim/nodes.h"

#include <utility>

#include "kernel/access/identity.h"
#include "kernel/client/collections.h"
#include "kernel/client/in_process.h"
#include "kernel/object/json.h"
#include "kernel/object/time_format.h"

namespace keelson::sim {

using base::MonotonicTime;
using base::Result;
using base::Task;
using client::ObjectKey;
using client::ObjectPointer;
using object::Document;
using object::Value;
using std::chrono::seconds;

namespace collections = client::collections;

namespace {

constexpr std::string_view kLeases = "kube-node-lease";
constexpr base::Duration kBeat = seconds(10);
constexpr base::Duration kReport = std::chrono::minutes(5);
constexpr int kWorkers = 8;

Document document_of(const std::string& json) {
    Document document;
    auto root = object::parse_json_copy(json, document.arena);
    if (root) document.root = *root;
    return document;
}

Value condition_of(const client::CachedObject& object, std::string_view type) {
    for (const Value condition : object.root().path({"status", "conditions"}).items())
        if (condition["type"].as_string() == type) return condition;
    return {};
}

bool is_told_ready(const client::CachedObject& object) {
    return condition_of(object, "Ready")["status"].as_string() == "True";
}

std::string_view phase_of(const client::CachedObject& pod) {
    return pod.root().path({"status", "phase"}).as_string();
}

std::string_view node_of(const client::CachedObject& pod) {
    return pod.root().path({"spec", "nodeName"}).as_string();
}

Task<Result<void>> nothing() {
    co_return base::ok();
}

bool runs_for_ever(const client::CachedObject& pod) {
    const std::string_view policy = pod.root().path({"spec", "restartPolicy"}).as_string();
    return policy.empty() || policy == "Always";
}

}  // namespace

// What runs for one pod on a machine.
struct Nodes::Container {
    ObjectKey key;
    MonotonicTime ready_at;
    std::optional<MonotonicTime> exits_at;
    std::optional<MonotonicTime> breaks_at;
    std::optional<MonotonicTime> stops_at;
    std::string changed;  // when its readiness changed last
    int exit_code = 0;
    int restarts = 0;
};

struct Nodes::Machine {
    enum class State : std::uint8_t { up, hung, off };

    Machine(std::string named, std::unique_ptr<client::Client> real, const Ground& ground)
        : name(std::move(named)),
          direct(std::move(real)),
          api(name, *direct, ground.executor, ground.faults),
          queue(ground.executor, ground.random, {.longest = seconds(10)}) {}

    std::string name;
    std::unique_ptr<client::Client> direct;
    FaultyClient api;
    client::WorkQueue<ObjectKey> queue;
    State state = State::up;
    std::map<std::string, Container> containers;  // by uid
    MonotonicTime reported;
    bool has_lease = false;
    int cpu = 4;
};

Nodes::Nodes(const NodeSettings& settings, resource::Verbs& verbs, resource::Subresources& subresources,
             const Ground& ground)
    : settings_(settings),
      ground_(ground),
      shared_client_(client::make_in_process_client(verbs, subresources, access::node_identity("all"))),
      faulty_("kubelets", *shared_client_, ground.executor, ground.faults),
      informers_(client::Informers::make(faulty_, ground.executor, ground.random)),
      pods_(informers_->of(collections::pods)),
      nodes_(informers_->of(collections::nodes)) {
    for (int number = 0; number < settings.count; ++number) {
        std::string name = "node-" + std::to_string(number);
        auto own = client::make_in_process_client(verbs, subresources, access::node_identity(name));
        auto machine = std::make_unique<Machine>(name, std::move(own), ground);
        machine->cpu = static_cast<int>(ground.faults.dice.between(3, 8));
        machines_.emplace(std::move(name), std::move(machine));
    }
}

Nodes::~Nodes() = default;

void Nodes::start() {
    pods_.add_handler([this](const ObjectPointer& before, const ObjectPointer& after) {
        const client::CachedObject& pod = after ? *after : *before;
        const auto machine = machines_.find(node_of(pod));
        if (machine != machines_.end()) machine->second->queue.add(pod.key());
    });
    informers_->start();
    const auto ended = [this] { --running_tasks_; };
    for (const auto& [name, machine] : machines_) {
        ++running_tasks_;
        base::spawn(ground_.executor, beat(*machine), ended);
        for (int count = 0; count < kWorkers; ++count) {
            ++running_tasks_;
            base::spawn(ground_.executor, work(*machine), ended);
        }
    }
}

Task<void> Nodes::stop() {
    is_stopping_ = true;
    for (const auto& [name, machine] : machines_) machine->queue.shut_down();
    auto stopping = informers_->stop();
    co_await stopping;
    while (running_tasks_ > 0) co_await base::sleep_for(seconds(1));
}

std::vector<std::string> Nodes::names() const {
    std::vector<std::string> names;
    for (const auto& [name, machine] : machines_) names.push_back(name);
    return names;
}

void Nodes::hang(const std::string& name) {
    machines_.at(name)->state = Machine::State::hung;
}

void Nodes::crash(const std::string& name) {
    Machine& machine = *machines_.at(name);
    machine.state = Machine::State::off;
    machine.containers.clear();
}

void Nodes::bring_back(const std::string& name) {
    Machine& machine = *machines_.at(name);
    machine.state = Machine::State::up;
    enqueue_all_of(machine);
}

bool Nodes::is_up(const std::string& name) const {
    return machines_.at(name)->state == Machine::State::up;
}

void Nodes::enqueue_all_of(Machine& machine) {
    for (const ObjectPointer& pod : pods_.list())
        if (node_of(*pod) == machine.name) machine.queue.add(pod->key());
}

std::vector<std::pair<ObjectKey, std::string>> Nodes::running() const {
    std::vector<std::pair<ObjectKey, std::string>> all;
    for (const auto& [name, machine] : machines_)
        for (const auto& [uid, container] : machine->containers) all.emplace_back(container.key, uid);
    return all;
}

// --- The node itself.

Task<void> Nodes::beat(Machine& machine) {
    co_await base::sleep_for(ground_.faults.dice.milliseconds(0, 3000));
    while (!is_stopping_) {
        if (machine.state == Machine::State::up && nodes_.has_synced()) {
            const ObjectPointer node = nodes_.get({"", machine.name});
            if (!node) {
                auto registering = register_node(machine);
                (void)co_await registering;
            } else if (!is_told_ready(*node) || now() - machine.reported > kReport) {
                auto reporting = report_node(machine);
                const auto reported = co_await reporting;
                if (reported) machine.reported = now();
            }
            auto renewing = renew_lease(machine);
            (void)co_await renewing;
        }
        co_await base::sleep_for(kBeat);
    }
}

Task<Result<void>> Nodes::register_node(Machine& machine) {
    const std::string zone = "zone-" + std::to_string(machine.name.back() % 2);
    const Document node =
        document_of(R"({"kind":"Node","apiVersion":"v1","metadata":{"name":")" + machine.name +
                    R"(","labels":{"kubernetes.io/hostname":")" + machine.name +
                    R"(","topology.kubernetes.io/zone":")" + zone + R"("}}})");
    auto creating = machine.api.create(collections::nodes.address(), node.root, {});
    KEELSON_CO_TRY_VOID(co_await creating);
    auto reporting = report_node(machine);
    co_return co_await reporting;
}

Task<Result<void>> Nodes::report_node(Machine& machine) {
    const std::string at = object::format_time(object::instant_of(ground_.executor.clock().wall_now()));
    const std::string resources =
        R"({"cpu":")" + std::to_string(machine.cpu) + R"(","memory":"16Gi","pods":"30"})";
    const Document patch = document_of(
        R"({"status":{"capacity":)" + resources + R"(,"allocatable":)" + resources +
        R"(,"conditions":[{"type":"Ready","status":"True","reason":"KubeletReady","message":"up",)" +
        R"("lastHeartbeatTime":")" + at + R"(","lastTransitionTime":")" + at + R"("}]}})");
    auto patching = machine.api.patch(collections::nodes.address("", machine.name, "status"),
                                      client::PatchType::strategic, patch.root, {});
    KEELSON_CO_TRY_VOID(co_await patching);
    co_return base::ok();
}

Task<Result<void>> Nodes::renew_lease(Machine& machine) {
    const std::string at = object::format_micro_time(object::instant_of(ground_.executor.clock().wall_now()));
    const std::string spec = R"("spec":{"holderIdentity":")" + machine.name +
                             R"(","leaseDurationSeconds":40,"renewTime":")" + at + R"("})";
    if (machine.has_lease) {
        const Document patch = document_of("{" + spec + "}");
        auto patching = machine.api.patch(collections::leases.address(kLeases, machine.name),
                                          client::PatchType::merge, patch.root, {});
        const auto patched = co_await patching;
        if (patched) co_return base::ok();
        machine.has_lease = patched.error().code() != 404;
        co_return patched.error();
    }
    const Document lease =
        document_of(R"({"kind":"Lease","apiVersion":"coordination.k8s.io/v1","metadata":{"name":")" +
                    machine.name + R"(","namespace":")" + std::string(kLeases) + R"("},)" + spec + "}");
    auto creating = machine.api.create(collections::leases.address(kLeases), lease.root, {});
    const auto created = co_await creating;
    machine.has_lease = created.has_value() || created.error().reason() == base::Reason::already_exists;
    co_return base::ok();
}

// --- Its pods.

Task<void> Nodes::work(Machine& machine) {
    while (true) {
        auto getting = machine.queue.get();
        const std::optional<ObjectKey> key = co_await getting;
        if (!key) break;
        // A machine that is not up looks at all its pods when it comes back.
        if (machine.state == Machine::State::up) {
            auto syncing = sync(machine, *key);
            const Result<void> synced = co_await syncing;
            if (synced)
                machine.queue.forget(*key);
            else
                machine.queue.add_rate_limited(*key);
        }
        machine.queue.done(*key);
    }
}

Task<Result<void>> Nodes::sync(Machine& machine, ObjectKey key) {
    const ObjectPointer pod = pods_.get(key);
    // Another of its name, or none: whoever had it is forgotten with everything that ran.
    std::erase_if(machine.containers, [&](const auto& entry) {
        return entry.second.key == key && (!pod || entry.first != pod->uid());
    });
    if (!pod || node_of(*pod) != machine.name) return nothing();
    const bool is_finished = phase_of(*pod) == "Succeeded" || phase_of(*pod) == "Failed";
    if (is_finished) machine.containers.erase(std::string(pod->uid()));
    if (pod->is_being_deleted()) return is_finished ? remove(machine, pod) : end(machine, pod);
    if (is_finished) return nothing();
    return run(machine, pod);
}

Nodes::Container& Nodes::start_container(Machine& machine, const client::CachedObject& pod) {
    Dice& dice = ground_.faults.dice;
    Container& container = machine.containers[std::string(pod.uid())];
    container.key = pod.key();
    container.ready_at = now() + dice.milliseconds(100, 4000);
    if (!runs_for_ever(pod)) {
        container.exits_at = container.ready_at + dice.milliseconds(500, 20'000);
        container.exit_code = dice.chance(settings_.work_fails) ? 1 : 0;
    } else if (dice.chance(settings_.breaks)) {
        container.breaks_at = container.ready_at + dice.milliseconds(5000, 90'000);
    }
    container.changed = object::format_time(object::instant_of(ground_.executor.clock().wall_now()));
    return container;
}

void Nodes::wake_later(Machine& machine, const client::CachedObject& pod, MonotonicTime when) {
    machine.queue.add_after(pod.key(), when - now());
}

// A copy: the informer may let go of it while this waits.
Task<Result<void>> Nodes::run(Machine& machine,
                              ObjectPointer pod) {  // NOLINT(performance-unnecessary-value-param)
    const std::string uid(pod->uid());
    const std::string at = object::format_time(object::instant_of(ground_.executor.clock().wall_now()));
    if (!machine.containers.contains(uid)) {
        start_container(machine, *pod);
        // It ran before the machine went off, and is not to be begun again.
        const bool is_lost = phase_of(*pod) == "Running" && !runs_for_ever(*pod);
        if (is_lost) {
            machine.containers.at(uid).exit_code = 137;
            machine.containers.at(uid).exits_at = now();
        }
    }
    Container& container = machine.containers.at(uid);
    if (container.exits_at && now() >= *container.exits_at)
        return report(machine, pod, container.exit_code == 0 ? "Succeeded" : "Failed", false);
    if (container.breaks_at && now() >= *container.breaks_at) {
        container.breaks_at.reset();
        ++container.restarts;
        container.ready_at = now() + ground_.faults.dice.milliseconds(1000, 15'000);
        container.changed = at;
    }
    if (now() < container.ready_at) {
        wake_later(machine, *pod, container.ready_at);
        if (is_told_ready(*pod)) return report(machine, pod, "Running", false);
        return nothing();
    }
    if (container.exits_at) wake_later(machine, *pod, *container.exits_at);
    if (container.breaks_at) wake_later(machine, *pod, *container.breaks_at);
    if (is_told_ready(*pod)) return nothing();
    return report(machine, pod, "Running", true);
}

Task<Result<void>> Nodes::end(Machine& machine, ObjectPointer pod) {
    const auto found = machine.containers.find(std::string(pod->uid()));
    if (found != machine.containers.end()) {
        Container& container = found->second;
        if (!container.stops_at) container.stops_at = now() + ground_.faults.dice.milliseconds(50, 3000);
        if (now() < *container.stops_at) {
            wake_later(machine, *pod, *container.stops_at);
            co_return base::ok();
        }
        container.exit_code = 137;
    }
    auto reporting = report(machine, pod, "Failed", false);
    KEELSON_CO_TRY_VOID(co_await reporting);
    machine.containers.erase(std::string(pod->uid()));
    auto removing = remove(machine, pod);
    co_return co_await removing;
}

Task<Result<void>> Nodes::remove(Machine& machine, ObjectPointer pod) {
    const Value metadata = pod->root()["metadata"];
    const Value grace = metadata["deletionGracePeriodSeconds"];
    // Said already: it waits for somebody's finalizer.
    if (grace.is_integer() && grace.as_integer() == 0 && !metadata["finalizers"].empty())
        co_return base::ok();
    client::DeleteOptions options;
    options.grace_period_seconds = 0;
    options.preconditions.uid = std::string(pod->uid());
    auto removing =
        machine.api.remove(collections::pods.address(pod->key().namespace_name, pod->key().name), options);
    const auto removed = co_await removing;
    if (!removed && removed.error().code() != 404) co_return removed.error();
    co_return base::ok();
}

Task<Result<void>> Nodes::report(Machine& machine, ObjectPointer pod, std::string phase, bool is_ready) {
    const auto found = machine.containers.find(std::string(pod->uid()));
    const Container container = found == machine.containers.end() ? Container() : found->second;
    const std::string at = container.changed.empty() || !is_ready
                               ? object::format_time(object::instant_of(ground_.executor.clock().wall_now()))
                               : container.changed;
    const std::string status = is_ready ? "True" : "False";
    const std::string ready = is_ready ? "true" : "false";
    const bool is_over = phase != "Running";
    const std::string state = is_over ? R"("terminated":{"exitCode":)" + std::to_string(container.exit_code) +
                                            R"(,"finishedAt":")" + at + R"(","startedAt":")" + at +
                                            R"("},"running":null)"
                                      : R"("running":{"startedAt":")" + at + R"("})";
    const std::string name = pod->root().path({"spec", "containers"}).at(0)["name"].to_string();
    const Document patch = document_of(
        R"({"metadata":{"uid":")" + std::string(pod->uid()) + R"("},"status":{"phase":")" + phase +
        R"(","podIP":"10.1.0.1","podIPs":[{"ip":"10.1.0.1"}],"startTime":")" + at +
        R"(","conditions":[{"type":"Ready","status":")" + status + R"(","lastTransitionTime":")" + at +
        R"("},{"type":"ContainersReady","status":")" + status + R"(","lastTransitionTime":")" + at +
        R"("}],"containerStatuses":[{"name":")" + name + R"(","image":"i","imageID":"i","ready":)" + ready +
        R"(,"restartCount":)" + std::to_string(container.restarts) + R"(,"state":{)" + state + "}}]}}");
    auto patching =
        machine.api.patch(collections::pods.address(pod->key().namespace_name, pod->key().name, "status"),
                          client::PatchType::strategic, patch.root, {});
    const auto patched = co_await patching;
    if (!patched && patched.error().code() != 404) co_return patched.error();
    co_return base::ok();
}

}  // namespace keelson::sim
