// The life of sandboxes.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "files.h"
#include "machine.h"

namespace keelson::oci {
namespace {

constexpr std::int64_t shared_memory_bytes = std::int64_t(64) << 20;
constexpr int setup_ms = 60'000;

// Those that the kernel keeps for each namespace of a pod.
constexpr std::array<std::string_view, 6> ipc_sysctls = {
    "kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue.", "kernel.auto_msgmni", "kernel.shm_rmid_forced"};

std::string sysctl_path(const std::string& name, const runtime::Namespaces& namespaces) {
    const auto is_ipc = [&](std::string_view prefix) { return name.starts_with(prefix); };
    const bool is_network = name.starts_with("net.");
    const bool is_allowed = (is_network && namespaces.network != "host") ||
                            (std::ranges::any_of(ipc_sysctls, is_ipc) && namespaces.ipc != "host");
    if (!is_allowed ||
        name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/") !=
            std::string::npos ||
        name.find("..") != std::string::npos)
        throw Error(Code::invalid, "the sysctl " + name + " is not one of the pod's own namespaces",
                    "sysctls");
    std::string path = "/proc/sys/" + name;
    // A name with slashes may have dots in its parts: an interface's.
    if (name.find('/') == std::string::npos) std::ranges::replace(path, '.', '/');
    return path;
}

std::string clean_parent(std::string path) {
    while (path.starts_with("/")) path.erase(0, 1);
    while (path.ends_with("/")) path.pop_back();
    if (path.empty() || ("/" + path + "/").find("/../") != std::string::npos)
        throw Error(Code::invalid, "the pod needs a cgroup of its own below the root", "cgroupParent");
    return path;
}

void check(const runtime::RunSandbox& request) {
    check_id(request.sandbox_id, "sandboxId");
    const runtime::Namespaces& namespaces = request.namespaces;
    if (!namespaces.user.empty() && namespaces.user != "host")
        throw Error(Code::unsupported, "this runtime has no user namespaces yet; leave hostUsers unset",
                    "namespaces.user");
    for (const auto& sysctl : request.sysctls) static_cast<void>(sysctl_path(sysctl.first, namespaces));
}

}  // namespace

std::string Machine::shim_cgroup(const SandboxRecord& record) {
    return record.request.cgroup_parent + "/.shim-" + record.request.sandbox_id;
}

void Machine::save(const SandboxRecord& record) const {
    replace_file(sandbox_directory(record.request.sandbox_id) + "/sandbox.json", Json(record).dump());
}

void Machine::run_sandbox(const runtime::RunSandbox& request, const Call& call) {
    check(request);
    if (!request.handler.empty() && request.handler != handler())
        throw Error(Code::invalid,
                    "this runtime has the handler '" + handler() + "', not '" + request.handler + "'",
                    "handler");
    const std::string& id = request.sandbox_id;
    for (;;) {
        const auto made = std::make_shared<Sandbox>();
        made->record.request = request;
        made->record.request.cgroup_parent = clean_parent(request.cgroup_parent);
        made->record.created_at = time_text(host_.unix_time().count() * 1000);
        SandboxPointer sandbox;
        {
            const std::lock_guard lock(mutex_);
            sandbox = sandboxes_.emplace(id, made).first->second;
        }
        const std::lock_guard operation(sandbox->operation);
        if (find_sandbox(id) != sandbox) continue;  // somebody else has failed to make it
        if (sandbox != made) {
            if (sandbox->record.request.pod.uid != request.pod.uid)
                throw Error(Code::already_exists, "sandbox " + id + " belongs to another pod", "sandboxId");
            if (sandbox->record.is_stopped)
                throw Error(Code::conflict, "sandbox " + id + " was stopped; remove it and take another id");
            return answer_network(id, call);
        }
        try {
            return make_sandbox(*sandbox, id, call);
        } catch (...) {
            erase_sandbox(*sandbox, id);
            throw;
        }
    }
}

void Machine::make_sandbox(Sandbox& sandbox, const std::string& id, const Call& call) {
    const runtime::RunSandbox& request = sandbox.record.request;
    make_directories(sandbox_directory(id));
    save(sandbox.record);
    replace_file(sandbox_directory(id) + "/hostname", request.hostname + "\n");
    cgroups_.make(request.cgroup_parent);
    if (request.resources) cgroups_.limit(request.cgroup_parent, *request.resources);
    cgroups_.make(shim_cgroup(sandbox.record));
    if (!request.log_directory.empty()) make_directories(request.log_directory, 0755);
    start_shim(sandbox, id, call);
}

void Machine::start_shim(Sandbox& sandbox, const std::string& id, const Call& call) {
    const std::string directory = sandbox_directory(id);
    const Descriptor held(
        ::open((directory + "/shim.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!held || ::flock(held.get(), LOCK_EX | LOCK_NB) != 0) throw system_error("locking " + directory);
    Descriptor connection = shim_program_.spawn(directory, held.get());
    send_packet(connection.get(), setup_packet(sandbox.record.request));
    const Answer answer = receive_packet(connection.get(), setup_ms);
    if (!answer.is_done()) throw Error(Code::internal, "the sandbox cannot be made: " + answer.message());
    for (const Descriptor& network : answer.descriptors) call.pass_descriptor(network.get());
    const std::lock_guard lock(mutex_);
    note_processes(sandbox, answer);
    sandbox.watch = std::move(connection);
    sandbox.is_made = true;
    watcher_.add(sandbox.watch.get(), id);
}

void Machine::note_processes(Sandbox& sandbox, const Answer& answer) {
    sandbox.shim = pid_t(std::strtol(answer.get(shim::field::shim).c_str(), nullptr, 10));
    sandbox.first_process = pid_t(std::strtol(answer.get(shim::field::process).c_str(), nullptr, 10));
}

Packet Machine::setup_packet(const runtime::RunSandbox& request) const {
    std::string namespaces;
    const bool has_network = request.namespaces.network != "host";
    if (has_network) namespaces += "nu";
    if (request.namespaces.ipc != "host") namespaces += "i";
    if (request.namespaces.pid == "pod") namespaces += "p";
    Packet packet(shim::Kind::setup);
    packet.add(shim::field::namespaces, namespaces);
    // Without a host name of its own it has the host's.
    if (has_network) packet.add(shim::field::hostname, request.hostname);
    if (request.namespaces.ipc != "host") packet.add(shim::field::shared_memory, shared_memory_bytes);
    for (const auto& [name, value] : request.sysctls)
        packet.add(shim::field::sysctl, sysctl_path(name, request.namespaces) + "=" + value);
    for (const std::string& directory :
         cgroups_.accounting(request.cgroup_parent + "/.shim-" + request.sandbox_id))
        packet.add(shim::field::join, directory);
    return packet;
}

void Machine::answer_network(const std::string& id, const Call& call) const {
    const Answer answer = ask_shim(sandbox_directory(id), Packet(shim::Kind::network));
    if (!answer.is_done()) throw Error(Code::internal, answer.message());
    for (const Descriptor& network : answer.descriptors) call.pass_descriptor(network.get());
}

void Machine::stop_sandbox(const std::string& id) {
    const SandboxPointer sandbox = find_sandbox(id);
    if (!sandbox) return;
    const std::lock_guard operation(sandbox->operation);
    if (find_sandbox(id) == sandbox) stop_made_sandbox(*sandbox, id);
}

void Machine::stop_made_sandbox(Sandbox& sandbox, const std::string& id) {
    SandboxRecord record;
    {
        const std::lock_guard lock(mutex_);
        sandbox.record.is_stopped = true;
        record = sandbox.record;
    }
    save(record);
    for (const ContainerPointer& container : containers_of(id)) kill_and_wait(*container, Call());
    end_shim(sandbox, id);
}

void Machine::end_shim(Sandbox& sandbox, const std::string& id) {
    try {
        static_cast<void>(ask_shim(sandbox_directory(id), Packet(shim::Kind::quit)));
    } catch (const Error&) {
        // It has ended, or never begun; what is left of it is killed.
    }
    Descriptor watch;
    {
        const std::lock_guard lock(mutex_);
        watch = std::move(sandbox.watch);
    }
    if (watch) watcher_.remove(watch.get());
    if (!cgroups_.destroy(shim_cgroup(sandbox.record)))
        throw Error(Code::unavailable,
                    "the processes of sandbox " + id + " do not end; trying again may help");
}

void Machine::remove_sandbox(const std::string& id) {
    const SandboxPointer sandbox = find_sandbox(id);
    if (!sandbox) return;
    const std::lock_guard operation(sandbox->operation);
    if (find_sandbox(id) != sandbox) return;
    stop_made_sandbox(*sandbox, id);
    for (const ContainerPointer& container : containers_of(id))
        remove_container(container->record.container_id);
    erase_sandbox(*sandbox, id);
}

void Machine::erase_sandbox(Sandbox& sandbox, const std::string& id) {
    end_shim(sandbox, id);
    cgroups_.remove_if_empty(sandbox.record.request.cgroup_parent);
    if (!remove_tree(sandbox_directory(id))) host_.warn("cannot remove " + sandbox_directory(id));
    const std::lock_guard lock(mutex_);
    sandboxes_.erase(id);
}

runtime::SandboxList Machine::list_sandboxes() const {
    runtime::SandboxList list;
    const std::lock_guard lock(mutex_);
    for (const auto& [id, sandbox] : sandboxes_) {
        if (!sandbox->is_made) continue;
        const SandboxRecord& record = sandbox->record;
        const bool is_ready = !record.is_stopped && sandbox->watch;
        list.sandboxes.push_back({id, record.request.pod, is_ready ? "ready" : "stopped", record.created_at});
    }
    return list;
}

}  // namespace keelson::oci
