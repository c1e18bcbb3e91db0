// The life of containers.
#include "signals.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <string_view>

#include "files.h"
#include "machine.h"
#include "specification.h"

namespace keelson::oci {
namespace {

using shim::Kind;
namespace field = shim::field;

constexpr std::int64_t killing_us = 60'000'000;
constexpr std::chrono::milliseconds look_interval(250);
constexpr int start_ms = 300'000;
constexpr std::int32_t start_failure_code = 128;

std::int64_t now_us() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

std::string log_path(const runtime::RunSandbox& sandbox, const std::string& path) {
    if (sandbox.log_directory.empty() || path.empty()) return "/dev/null";
    if (("/" + path + "/").find("/../") != std::string::npos)
        throw Error(Code::invalid, "the log must lie in the sandbox's log directory", "logPath");
    return sandbox.log_directory + "/" + path;
}

// What is written first into a layer is its root directory's mode and owner.
void make_upper(const std::string& directory, const std::string& highest_layer) {
    make_directories(directory + "/upper");
    make_directories(directory + "/work");
    struct stat about {};
    const std::string upper = directory + "/upper";
    if (::stat(highest_layer.c_str(), &about) != 0)
        throw system_error("looking at the layer " + highest_layer);
    if (::chown(upper.c_str(), about.st_uid, about.st_gid) != 0 ||
        ::chmod(upper.c_str(), about.st_mode & 07777) != 0)
        throw system_error("making " + upper);
}

}  // namespace

void Machine::save(const ContainerRecord& record) const {
    replace_file(container_directory(record.container_id) + "/container.json", Json(record).dump());
}

void Machine::create_container(const runtime::CreateContainer& request) {
    check_id(request.container_id, "containerId");
    const SandboxPointer pod = sandbox(request.sandbox_id);
    const std::lock_guard sandbox_operation(pod->operation);
    const auto made = std::make_shared<Container>();
    made->record.container_id = request.container_id;
    made->record.sandbox_id = request.sandbox_id;
    ContainerPointer container;
    {
        const std::lock_guard lock(mutex_);
        if (!pod->is_made || !pod->watch || pod->record.is_stopped)
            throw Error(Code::conflict, "sandbox " + request.sandbox_id + " is not ready", "sandboxId");
        container = containers_.emplace(request.container_id, made).first->second;
    }
    if (container != made) {
        if (container->phase == Phase::making) {
            erase_container(container->record);
            throw Error(Code::unavailable,
                        "an earlier attempt to make this container was cleaned up; try again");
        }
        if (container->record.sandbox_id == request.sandbox_id) return;
        throw Error(Code::already_exists, "container " + request.container_id + " is in another sandbox",
                    "containerId");
    }
    const std::lock_guard operation(container->operation);
    try {
        make_container(*container, request);
    } catch (...) {
        erase_container(container->record);
        throw;
    }
}

void Machine::make_container(Container& container, const runtime::CreateContainer& request) {
    const std::string& id = request.container_id;
    const SandboxPointer pod = sandbox(request.sandbox_id);
    const runtime::RunSandbox& around = pod->record.request;
    const ResolvedImage image = images_.hold(request.image_id, id);
    container.record.image_id = request.image_id;
    if (image.layers.empty()) throw Error(Code::invalid, "the image has no layers", "imageId");
    ContainerRecord record = container.record;
    record.name = request.name;
    record.attempt = request.attempt;
    record.created_at = time_text(host_.unix_time().count() * 1000);
    record.log_path = log_path(around, request.log_path);
    record.stop_signal = image.config.stop_signal;
    record.cgroup = around.cgroup_parent + "/" + id;
    record.layers = image.layers;
    record.terminal = request.tty;
    record.standard_input = request.standard_input;
    record.standard_input_once = request.standard_input_once;
    {
        const std::lock_guard lock(mutex_);
        container.record = record;
    }
    make_directories(container_directory(id));
    save(record);
    make_upper(data_directory(id), image.layers.back());
    if (record.log_path != "/dev/null")
        make_directories(record.log_path.substr(0, record.log_path.rfind('/')), 0755);
    const Descriptor root = prepare(record);
    Surroundings surroundings{around,
                              std::string(shim::mounts_directory) + "/" + id,
                              "",
                              sandbox_directory(request.sandbox_id) + "/hostname",
                              record.cgroup,
                              pod->shim};
    if (around.namespaces.ipc != "host")
        surroundings.shared_memory = std::string(shim::mounts_directory) + "/shm";
    if (around.namespaces.network == "host" || around.hostname.empty()) surroundings.hostname_file.clear();
    if (around.namespaces.pid == "pod") surroundings.processes_of = pod->first_process;
    if (!request.target_container_id.empty())
        surroundings.processes_of = pid_t(this->container(request.target_container_id)->status.process);
    const User user = resolve_user(request.security, image.config.user, root.get());
    replace_file(container_directory(id) + "/config.json",
                 specify(request, image.config, user, surroundings).dump());
    const std::lock_guard lock(mutex_);
    container.phase = Phase::created;
}

Descriptor Machine::prepare(const ContainerRecord& record) const {
    Packet packet(Kind::prepare);
    packet.add(field::container, record.container_id);
    for (auto layer = record.layers.rbegin(); layer != record.layers.rend(); ++layer)
        packet.add(field::lower, *layer);
    packet.add(field::upper, data_directory(record.container_id) + "/upper");
    packet.add(field::work, data_directory(record.container_id) + "/work");
    Answer answer = ask_shim(sandbox_directory(record.sandbox_id), packet);
    if (!answer.is_done() || answer.descriptors.empty()) throw Error(Code::internal, answer.message());
    return std::move(answer.descriptors.front());
}

void Machine::start_container(const std::string& id) {
    const ContainerPointer started = container(id);
    const std::lock_guard operation(started->operation);
    ContainerRecord record;
    {
        const std::lock_guard lock(mutex_);
        record = started->record;
        const bool has_failed = started->phase == Phase::exited && record.reason == "StartError";
        if (has_failed) throw Error(Code::internal, record.message);
        // One that went with its pod's shim has not been started.
        const bool was_started = started->phase != Phase::exited || started->status.started_ns > 0;
        if (started->phase != Phase::created && was_started) return;
        const auto pod = sandboxes_.find(record.sandbox_id);
        if (pod == sandboxes_.end() || pod->second->record.is_stopped || !pod->second->watch)
            throw Error(Code::conflict, "sandbox " + record.sandbox_id + " is not ready");
    }
    launch(*started, record);
}

Packet Machine::program_packet(Kind kind) const {
    Packet packet(kind);
    packet.add(field::argument, program_)
        .add(field::argument, "--root")
        .add(field::argument, program_directory());
    return packet;
}

Packet Machine::start_packet(const ContainerRecord& record) const {
    const std::string& id = record.container_id;
    const std::string directory = container_directory(id);
    Packet packet = program_packet(Kind::start);
    const auto argue = [&](std::initializer_list<std::string> words) {
        for (const std::string& word : words) packet.add(field::argument, word);
    };
    argue({"--log", directory + "/program.log", "--log-format", "json", "run", "--detach", "--bundle",
           directory, "--pid-file", directory + "/pid"});
    if (record.terminal) argue({"--console-socket", std::string(shim::mounts_directory) + "/" + id + ".tty"});
    argue({id});
    packet.add(field::container, id)
        .add(field::directory, directory)
        .add(field::pid_file, directory + "/pid");
    packet.add(field::log, record.log_path).add(field::log_bytes, settings_.log_bytes);
    packet.add(field::oom, cgroups_.kills_file(record.cgroup));
    for (const std::string& cgroup : cgroups_.all(record.cgroup)) packet.add(field::cgroup, cgroup);
    if (record.terminal) packet.flag(field::terminal);
    if (record.standard_input) packet.flag(field::input);
    if (record.standard_input_once) packet.flag(field::input_once);
    return packet;
}

void Machine::launch(Container& container, const ContainerRecord& record) {
    static_cast<void>(prepare(record));
    const Answer answer = ask_shim(sandbox_directory(record.sandbox_id), start_packet(record), {}, start_ms);
    refresh(record.container_id);
    {
        const std::lock_guard lock(mutex_);
        if (container.phase == Phase::exited && container.record.reason == "StartError")
            throw Error(Code::internal, container.record.message);
    }
    if (answer.is_done()) return;
    note_failed_start(container, answer.message());
    throw Error(Code::internal, answer.message());
}

void Machine::note_failed_start(Container& container, const std::string& message) {
    ContainerRecord record;
    {
        const std::lock_guard lock(mutex_);
        container.phase = Phase::exited;
        container.record.exit_code = start_failure_code;
        container.record.reason = "StartError";
        container.record.message = message;
        container.record.finished_at = time_text(host_.unix_time().count() * 1000);
        record = container.record;
    }
    save(record);
    ended_.notify_all();
}

void Machine::kill(const ContainerRecord& record, int signal, bool all) const {
    Packet packet(Kind::signal);
    packet.add(field::container, record.container_id).add(field::number, signal);
    if (all) packet.flag(field::all);
    const Answer answer = ask_shim(sandbox_directory(record.sandbox_id), packet);
    if (!answer.is_done()) throw Error(Code::internal, answer.message());
}

bool Machine::wait_for_end(Container& container, std::int64_t until_us, const Call& call) {
    std::unique_lock lock(mutex_);
    while (container.phase == Phase::running) {
        const std::int64_t rest_us = until_us - now_us();
        if (rest_us <= 0) return false;
        call.check(host_.monotonic());
        ended_.wait_for(
            lock, std::min<std::chrono::microseconds>(std::chrono::microseconds(rest_us), look_interval));
    }
    return true;
}

void Machine::kill_and_wait(Container& container, const Call& call) {
    ContainerRecord record;
    {
        const std::lock_guard lock(mutex_);
        if (container.phase != Phase::running) return;
        container.is_stopping = true;
        record = container.record;
    }
    bool has_ended = false;
    try {
        try {
            kill(record, SIGKILL, true);
        } catch (const Error& error) {
            if (error.code() != Code::unavailable) throw;
            // Without its shim the watcher's thread is about to say so.
        }
        has_ended = wait_for_end(container, now_us() + killing_us, call);
    } catch (...) {
        no_longer_stopping(container);
        throw;
    }
    if (has_ended) return;
    no_longer_stopping(container);
    throw Error(Code::unavailable, "container " + record.container_id +
                                       " does not end although it was killed: a process waits "
                                       "for a device");
}

void Machine::no_longer_stopping(Container& container) {
    const std::lock_guard lock(mutex_);
    container.is_stopping = false;
}

void Machine::stop_container(const runtime::StopContainer& request, const Call& call) {
    const ContainerPointer stopped = find_container(request.container_id);
    if (!stopped) return;
    if (request.grace_seconds < 0) throw Error(Code::invalid, "graceSeconds is below 0", "graceSeconds");
    { const std::lock_guard a_start_has_ended(stopped->operation); }
    ContainerRecord record;
    {
        const std::lock_guard lock(mutex_);
        if (stopped->phase != Phase::running) return;
        stopped->is_stopping = true;
        record = stopped->record;
    }
    try {
        if (request.grace_seconds > 0) {
            kill(record, signal_number(request.signal.empty() ? record.stop_signal : request.signal), false);
            if (wait_for_end(*stopped, now_us() + std::int64_t(request.grace_seconds) * 1'000'000, call))
                return;
        }
    } catch (const Error& error) {
        no_longer_stopping(*stopped);
        if (error.code() != Code::unavailable) throw;
    }
    kill_and_wait(*stopped, call);
}

void Machine::remove_container(const std::string& id) {
    const ContainerPointer removed = find_container(id);
    if (!removed) return;
    const std::lock_guard operation(removed->operation);
    if (find_container(id) != removed) return;
    kill_and_wait(*removed, Call());
    erase_container(removed->record);
}

void Machine::erase_container(const ContainerRecord& record) {
    const std::string id = record.container_id;
    try {
        Packet packet(Kind::discard);
        const Answer answer =
            ask_shim(sandbox_directory(record.sandbox_id), packet.add(field::container, id));
        if (!answer.is_done()) throw Error(Code::conflict, answer.message());
    } catch (const Error& error) {
        if (error.code() != Code::unavailable) throw;  // mounts end with the shim
    }
    if (!record.cgroup.empty() && !cgroups_.destroy(record.cgroup))
        throw Error(Code::unavailable,
                    "the processes of container " + id + " do not end; trying again may help");
    for (const std::string& directory :
         {program_directory() + "/" + id, data_directory(id), container_directory(id)})
        if (!remove_tree(directory)) throw system_error("removing " + directory);
    usage_.forget(data_directory(id) + "/upper");
    if (!record.image_id.empty()) images_.release(record.image_id, id);
    const std::lock_guard lock(mutex_);
    containers_.erase(id);
}

runtime::Container Machine::describe(const Container& container) const {
    const ContainerRecord& record = container.record;
    runtime::Container shown;
    shown.container_id = record.container_id;
    shown.sandbox_id = record.sandbox_id;
    shown.name = record.name;
    shown.attempt = record.attempt;
    shown.image_id = record.image_id;
    shown.created_at = record.created_at;
    if (container.status.started_ns > 0) shown.started_at = time_text(container.status.started_ns);
    if (container.phase == Phase::running) shown.process_id = std::int32_t(container.status.process);
    shown.state = container.phase == Phase::running ? "running" : "created";
    if (container.phase != Phase::exited) return shown;
    shown.state = "exited";
    if (record.exit_code) {
        shown.exit_code = record.exit_code;
        shown.reason = record.reason;
        shown.message = record.message;
        shown.finished_at = record.finished_at;
        return shown;
    }
    const Status& status = container.status;
    shown.exit_code = status.code;
    shown.finished_at = time_text(status.finished_ns);
    shown.reason = status.code == 0 ? "Completed" : "Error";
    if (status.code != 0 && status.out_of_memory) shown.reason = "OOMKilled";
    return shown;
}

runtime::ContainerList Machine::list_containers(const std::string& sandbox_id) const {
    runtime::ContainerList list;
    const std::lock_guard lock(mutex_);
    for (const auto& [id, container] : containers_) {
        if (container->phase == Phase::making) continue;
        if (sandbox_id.empty() || container->record.sandbox_id == sandbox_id)
            list.containers.push_back(describe(*container));
    }
    return list;
}

}  // namespace keelson::oci
