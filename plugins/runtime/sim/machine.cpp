#include "machine.h"

#include <algorithm>

namespace {

using keelson::Code;
using keelson::Error;
namespace runtime = keelson::runtime;

constexpr std::int64_t millisecond_us = 1000;
constexpr int killed_code = 137;       // SIGKILL
constexpr int not_started_code = 128;  // as containerd has it

std::string log_path_of(const Sandbox& sandbox, const std::string& path) {
    if (path.empty() || sandbox.log_directory.empty()) return {};
    return path.front() == '/' ? path : sandbox.log_directory + "/" + path;
}

bool is_same(const Container& container, const runtime::CreateContainer& request) {
    return container.sandbox->first == request.sandbox_id && container.name == request.name &&
           container.attempt == request.attempt && container.image_id == request.image_id;
}

}  // namespace

int Container::exit_code() const {
    switch (ending) {
        case Ending::failed:
            return behaviour->exit_code != 0 ? behaviour->exit_code : 1;
        case Ending::stopped:
            return behaviour->stop_exit_code;
        case Ending::killed:
            return killed_code;
        case Ending::not_started:
            return not_started_code;
        default:
            return behaviour->exit_code;
    }
}

std::string Container::reason() const {
    if (ending == Ending::not_started) return "StartError";
    const bool by_itself = ending == Ending::finished || ending == Ending::failed;
    if (by_itself && !behaviour->exit_reason.empty()) return behaviour->exit_reason;
    return exit_code() == 0 ? "Completed" : "Error";
}

std::string Container::message() const {
    if (ending == Ending::not_started) return behaviour->fail_start;
    const bool by_itself = ending == Ending::finished || ending == Ending::failed;
    return by_itself ? behaviour->exit_message : std::string();
}

Machine::Machine(Behaviour defaults, Chance chance, std::int64_t jitter_us, bool has_logs, Observer observer)
    : defaults_(std::move(defaults)),
      shared_defaults_(std::make_shared<const Behaviour>(defaults_)),
      chance_(chance),
      jitter_us_(jitter_us),
      has_logs_(has_logs),
      observer_(std::move(observer)) {}

// --- time ---

void Machine::settle(Moment now) {
    while (!due_.empty() && due_.begin()->us <= now.monotonic_us) {
        const Containers::iterator container = due_.begin()->container;
        const Moment then = container->second.next;
        if (container->second.phase == Phase::starting) {
            begin_running(container, then, true);
        } else {
            exit(container, then, true);
        }
    }
}

std::int64_t Machine::next_change_us() const {
    return due_.empty() ? never_us : due_.begin()->us;
}

void Machine::plan(Containers::iterator container, Moment next, Ending ending) {
    forget_plan(container);
    container->second.next = next;
    container->second.ending = ending;
    due_.insert({next.monotonic_us, container});
}

void Machine::forget_plan(Containers::iterator container) {
    if (container->second.next.is_set()) due_.erase({container->second.next.monotonic_us, container});
    container->second.next = {};
}

std::int64_t Machine::jitter_us(const char* purpose, const std::string& id) const {
    if (jitter_us_ == 0) return 0;
    return std::int64_t(chance_.draw(purpose, id) % std::uint64_t(jitter_us_ + 1));
}

void Machine::begin_running(Containers::iterator container, Moment now, bool by_itself) {
    forget_plan(container);
    Container& self = container->second;
    self.phase = Phase::running;
    self.started = now;
    observer_(container, by_itself);
    const Behaviour& behaviour = *self.behaviour;
    const bool fails = behaviour.fail_every > 0 && (self.attempt + 1) % behaviour.fail_every == 0;
    if (fails) {
        plan(container, now, Ending::failed);
    } else if (behaviour.run_ms >= 0) {
        const std::int64_t run_us = behaviour.run_ms * millisecond_us + jitter_us("run", container->first);
        plan(container, now.after_us(run_us), Ending::finished);
    }
}

void Machine::exit(Containers::iterator container, Moment now, bool by_itself) {
    forget_plan(container);
    container->second.phase = Phase::exited;
    container->second.finished = now;
    observer_(container, by_itself);
}

void Machine::kill(Containers::iterator container, Moment now) {
    const Phase phase = container->second.phase;
    if (phase != Phase::starting && phase != Phase::running) return;
    container->second.ending = Ending::killed;
    exit(container, now, false);
}

// --- sandboxes ---

void Machine::run_sandbox(const runtime::RunSandbox& request, Moment now) {
    const auto there = sandboxes_.find(request.sandbox_id);
    if (there != sandboxes_.end()) {
        if (there->second.pod.uid != request.pod.uid)
            throw Error(Code::already_exists, "the sandbox is one of another pod", "sandboxId");
        if (there->second.is_stopped)
            throw Error(Code::conflict, "the sandbox was stopped: remove it first", "sandboxId");
        return;
    }
    const Behaviour behaviour = behaviour_of(defaults_, request.pod.annotations, "");
    if (!behaviour.fail_sandbox.empty()) throw Error(Code::internal, behaviour.fail_sandbox);
    Sandbox& made = sandboxes_[request.sandbox_id];
    made.pod = request.pod;
    made.log_directory = request.log_directory;
    made.created = now;
}

void Machine::stop(Sandboxes::iterator sandbox, Moment now) {
    for (const auto& container : sandbox->second.containers) kill(container, now);
    sandbox->second.is_stopped = true;
}

void Machine::stop_sandbox(const std::string& id, Moment now) {
    const auto found = sandboxes_.find(id);
    if (found != sandboxes_.end()) stop(found, now);
}

void Machine::remove_sandbox(const std::string& id, Moment now) {
    const auto found = sandboxes_.find(id);
    if (found == sandboxes_.end()) return;
    stop(found, now);
    for (const auto& container : found->second.containers) containers_.erase(container);
    sandboxes_.erase(found);
}

const Sandbox& Machine::sandbox(const std::string& id) const {
    const auto found = sandboxes_.find(id);
    if (found == sandboxes_.end()) throw Error(Code::not_found, "there is no sandbox " + id, "sandboxId");
    return found->second;
}

// --- containers ---

std::shared_ptr<const Behaviour> Machine::behaviour_for(const Sandbox& sandbox,
                                                        const std::string& container) const {
    if (!has_behaviour(sandbox.pod.annotations)) return shared_defaults_;
    return std::make_shared<const Behaviour>(behaviour_of(defaults_, sandbox.pod.annotations, container));
}

void Machine::create_container(const runtime::CreateContainer& request, Moment now) {
    const auto there = containers_.find(request.container_id);
    if (there != containers_.end()) {
        if (is_same(there->second, request)) return;
        throw Error(Code::already_exists, "the container exists with other properties", "containerId");
    }
    const auto sandbox = sandboxes_.find(request.sandbox_id);
    if (sandbox == sandboxes_.end())
        throw Error(Code::not_found, "there is no sandbox " + request.sandbox_id, "sandboxId");
    if (sandbox->second.is_stopped) throw Error(Code::conflict, "the sandbox was stopped", "sandboxId");
    Container made;
    made.behaviour = behaviour_for(sandbox->second, request.name);
    if (!made.behaviour->fail_create.empty()) throw Error(Code::internal, made.behaviour->fail_create);
    made.sandbox = sandbox;
    made.name = request.name;
    made.image_id = request.image_id;
    if (has_logs_) made.log_path = log_path_of(sandbox->second, request.log_path);
    made.attempt = request.attempt;
    made.created = now;
    const auto placed = containers_.emplace(request.container_id, std::move(made)).first;
    sandbox->second.containers.push_back(placed);
}

Containers::iterator Machine::find_container(const std::string& id) {
    const auto found = containers_.find(id);
    if (found == containers_.end())
        throw Error(Code::not_found, "there is no container " + id, "containerId");
    return found;
}

const Container& Machine::container(const std::string& id) const {
    const auto found = containers_.find(id);
    if (found == containers_.end())
        throw Error(Code::not_found, "there is no container " + id, "containerId");
    return found->second;
}

void Machine::start_container(const std::string& id, Moment now) {
    const auto found = find_container(id);
    Container& self = found->second;
    if (self.ending == Ending::not_started) throw Error(Code::internal, self.behaviour->fail_start);
    if (self.phase != Phase::created) return;
    if (self.sandbox->second.is_stopped) throw Error(Code::conflict, "the sandbox was stopped");
    if (!self.behaviour->fail_start.empty()) {
        self.ending = Ending::not_started;
        exit(found, now, false);
        throw Error(Code::internal, self.behaviour->fail_start);
    }
    const std::int64_t start_us = self.behaviour->start_ms * millisecond_us + jitter_us("start", id);
    if (start_us > 0) {
        self.phase = Phase::starting;
        return plan(found, now.after_us(start_us), Ending::none);
    }
    begin_running(found, now, false);
    settle(now);  // it may run for no time at all
}

bool Machine::stop_container(const std::string& id, std::int64_t grace_us, Moment now) {
    const auto found = containers_.find(id);
    if (found == containers_.end()) return true;
    Container& self = found->second;
    if (self.phase == Phase::starting) kill(found, now);
    if (self.phase != Phase::running) return true;
    const std::int64_t stop_us = self.behaviour->stop_ms * millisecond_us;
    const Moment end = now.after_us(std::min(stop_us, grace_us));
    // A second call never puts the end off.
    const bool ends_before = self.next.is_set() && self.next.monotonic_us <= end.monotonic_us;
    if (!ends_before) plan(found, end, stop_us <= grace_us ? Ending::stopped : Ending::killed);
    if (self.next.monotonic_us > now.monotonic_us) return false;
    exit(found, self.next, false);
    return true;
}

void Machine::remove_container(const std::string& id, Moment now) {
    const auto found = containers_.find(id);
    if (found == containers_.end()) return;
    kill(found, now);
    auto& siblings = found->second.sandbox->second.containers;
    siblings.erase(std::find(siblings.begin(), siblings.end(), found));
    containers_.erase(found);
}

void Machine::for_each_container(const std::string& sandbox_id,
                                 const std::function<void(Containers::const_iterator)>& visit) const {
    if (!sandbox_id.empty()) {
        const auto sandbox = sandboxes_.find(sandbox_id);
        if (sandbox == sandboxes_.end()) return;
        for (const auto& container : sandbox->second.containers) visit(container);
        return;
    }
    for (auto container = containers_.begin(); container != containers_.end(); ++container) visit(container);
}

// --- after a handover ---

void Machine::restore_sandbox(const std::string& id, Sandbox sandbox) {
    if (!sandboxes_.emplace(id, std::move(sandbox)).second)
        throw Error(Code::invalid, "the state has a sandbox twice");
}

void Machine::restore_container(const std::string& id, const std::string& sandbox_id, Container container) {
    const auto sandbox = sandboxes_.find(sandbox_id);
    if (sandbox == sandboxes_.end()) throw Error(Code::invalid, "the state has a container without sandbox");
    container.sandbox = sandbox;
    container.behaviour = behaviour_for(sandbox->second, container.name);
    const auto [placed, is_new] = containers_.emplace(id, std::move(container));
    if (!is_new) throw Error(Code::invalid, "the state has a container twice");
    sandbox->second.containers.push_back(placed);
    Container& self = placed->second;
    const bool goes_on = self.phase == Phase::starting || self.phase == Phase::running;
    if (!goes_on) self.next = {};
    if (self.next.is_set()) due_.insert({self.next.monotonic_us, placed});
}
