// What the machine finds when it starts, and what happens by itself.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <sstream>
#include <thread>

#include "files.h"
#include "machine.h"
#include "program_log.h"

namespace keelson::oci {
namespace {

constexpr std::size_t longest_state_path = 200;  // the shim has fixed buffers
constexpr int birth_rounds = 500;
constexpr std::chrono::milliseconds birth_pause(10);
constexpr std::int32_t start_failure_code = 128;
constexpr std::int32_t unknown_code = 255;

std::string find_program(const std::string& name) {
    const char* places = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    std::stringstream stream(name.find('/') == std::string::npos ? places : "");
    if (name.starts_with('/') && ::access(name.c_str(), X_OK) == 0) return name;
    for (std::string place; std::getline(stream, place, ':');) {
        std::string path = place + "/" + name;
        if (::access(path.c_str(), X_OK) == 0) return path;
    }
    throw Error(
        Code::invalid,
        "the runtime's program '" + name + "' is not there; install it, or name another one by its path",
        "program");
}

bool is_locked(const std::string& path) {
    const Descriptor file(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
    return file && ::flock(file.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

// Null when the shim is gone. One that was just being born is waited for: it holds its lock from the first
// moment.
Descriptor find_shim(const std::string& directory) {
    for (int round = 0; round < birth_rounds; ++round) {
        try {
            return connect_shim(directory);
        } catch (const Error&) {
            if (!is_locked(directory + "/shim.lock")) return {};
        }
        std::this_thread::sleep_for(birth_pause);
    }
    return {};
}

template <typename Record>
std::optional<Record> load(const std::string& path) {
    const auto text = read_file(path);
    const Json document = text ? Json::parse(*text, nullptr, false) : Json();
    if (!document.is_object()) return std::nullopt;
    try {
        return read_as<Record>(document);
    } catch (const Error&) {
        return std::nullopt;
    }
}

}  // namespace

void check_id(const std::string& id, const char* field) {
    const bool good =
        !id.empty() && id.size() < shim::identifier_bytes && id.front() != '.' && id.front() != '-' &&
        id.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") ==
            std::string::npos;
    if (!good)
        throw Error(Code::invalid,
                    "an id has 1 to 87 letters, digits, '.', '_' and '-', and begins with none of "
                    "the last three",
                    field);
}

Machine::Machine(Host host, Settings settings, ImageStore& images)
    : host_(host),
      settings_(std::move(settings)),
      images_(images),
      state_(settings_.state_directory.empty() ? host.state_directory() : settings_.state_directory),
      root_(settings_.root_directory.empty() ? state_ + "/data" : settings_.root_directory),
      program_(find_program(settings_.program)),
      watcher_([this](const std::string& id) { shim_spoke(id); }) {
    if (state_.size() > longest_state_path || !state_.starts_with('/') || !root_.starts_with('/'))
        throw Error(Code::invalid,
                    "stateDirectory and rootDirectory are paths that begin with /, the former of at "
                    "most 200 characters",
                    "stateDirectory");
    for (const std::string& directory :
         {state_ + "/sandboxes", state_ + "/containers", program_directory(), root_ + "/containers"})
        make_directories(directory);
    sweep();
}

Machine::~Machine() {
    watcher_.stop();
}

std::string Machine::sandbox_directory(const std::string& id) const {
    return state_ + "/sandboxes/" + id;
}
std::string Machine::container_directory(const std::string& id) const {
    return state_ + "/containers/" + id;
}
std::string Machine::data_directory(const std::string& container_id) const {
    return root_ + "/containers/" + container_id;
}

Machine::SandboxPointer Machine::find_sandbox(const std::string& id) const {
    const std::lock_guard lock(mutex_);
    const auto found = sandboxes_.find(id);
    return found == sandboxes_.end() ? nullptr : found->second;
}
Machine::ContainerPointer Machine::find_container(const std::string& id) const {
    const std::lock_guard lock(mutex_);
    const auto found = containers_.find(id);
    return found == containers_.end() ? nullptr : found->second;
}
Machine::SandboxPointer Machine::sandbox(const std::string& id) const {
    SandboxPointer found = find_sandbox(id);
    if (!found) throw Error(Code::not_found, "there is no sandbox " + id, "sandboxId");
    return found;
}
Machine::ContainerPointer Machine::container(const std::string& id) const {
    ContainerPointer found = find_container(id);
    if (!found) throw Error(Code::not_found, "there is no container " + id, "containerId");
    return found;
}
std::vector<Machine::ContainerPointer> Machine::containers_of(const std::string& sandbox_id) const {
    std::vector<ContainerPointer> found;
    const std::lock_guard lock(mutex_);
    for (const auto& [id, container] : containers_)
        if (container->record.sandbox_id == sandbox_id) found.push_back(container);
    return found;
}

// --- at the start ---

void Machine::sweep() {
    for (const std::string& id : list_directory(state_ + "/sandboxes")) adopt_sandbox(id);
    for (const std::string& id : list_directory(state_ + "/containers")) adopt_container(id);
    // What is not recorded was made by nobody that is known; the record is the last thing that goes.
    for (const std::string& directory : {root_ + "/containers", program_directory()})
        for (const std::string& id : list_directory(directory))
            if (!find_container(id) && !remove_tree(directory + "/" + id))
                host_.warn("cannot remove " + directory + "/" + id);
}

void Machine::adopt_sandbox(const std::string& id) {
    const std::string directory = sandbox_directory(id);
    auto record = load<SandboxRecord>(directory + "/sandbox.json");
    if (!record) {
        // Its record comes before all else: there is nothing but the directory.
        if (!remove_tree(directory)) host_.warn("cannot remove " + directory);
        return;
    }
    const auto adopted = std::make_shared<Sandbox>();
    adopted->record = std::move(*record);
    adopted->is_made = true;
    {
        const std::lock_guard lock(mutex_);
        sandboxes_[id] = adopted;
    }
    try {
        watch_sandbox(id, *adopted);
    } catch (const Error& error) {
        host_.warn("sandbox " + id + ": " + error.what());
    }
}

void Machine::watch_sandbox(const std::string& id, Sandbox& sandbox) {
    const std::string directory = sandbox_directory(id);
    Descriptor connection = find_shim(directory);
    if (!connection) return;
    const Answer answer = ask_shim(directory, Packet(shim::Kind::network));
    send_packet(connection.get(), Packet(shim::Kind::watch));
    const std::lock_guard lock(mutex_);
    note_processes(sandbox, answer);
    sandbox.watch = std::move(connection);
    watcher_.add(sandbox.watch.get(), id);
}

void Machine::adopt_container(const std::string& id) {
    const std::string directory = container_directory(id);
    auto record = load<ContainerRecord>(directory + "/container.json");
    if (!record) {
        if (!remove_tree(directory)) host_.warn("cannot remove " + directory);
        return;
    }
    const auto adopted = std::make_shared<Container>();
    adopted->record = std::move(*record);
    bool has_shim = false;
    {
        const std::lock_guard lock(mutex_);
        containers_[id] = adopted;
        const auto pod = sandboxes_.find(adopted->record.sandbox_id);
        has_shim = pod != sandboxes_.end() && pod->second->watch;
    }
    try {
        if (!exists(directory + "/config.json")) return erase_container(adopted->record);
        static_cast<void>(images_.hold(adopted->record.image_id, id));
    } catch (const Error& error) {
        host_.warn("container " + id + ": " + error.what());
    }
    {
        const std::lock_guard lock(mutex_);
        adopted->phase = adopted->record.exit_code ? Phase::exited : Phase::created;
    }
    refresh(id);
    if (!has_shim) lose(*adopted);
}

// --- what happens by itself ---

void Machine::shim_spoke(const std::string& sandbox_id) {
    const SandboxPointer sandbox = find_sandbox(sandbox_id);
    if (!sandbox) return;
    Descriptor connection;
    {
        const std::lock_guard lock(mutex_);
        if (!sandbox->watch) return;
        connection = Descriptor::duplicate(sandbox->watch.get());
    }
    try {
        const Answer event = receive_packet(connection.get(), 0);
        if (event.kind == shim::Kind::changed) refresh(event.get(shim::field::container));
    } catch (const Error& error) {
        if (error.code() == Code::unavailable) shim_ended(sandbox_id);
    }
}

void Machine::shim_ended(const std::string& sandbox_id) {
    const SandboxPointer sandbox = find_sandbox(sandbox_id);
    if (!sandbox) return;
    Descriptor watch;
    std::string uid;
    {
        const std::lock_guard lock(mutex_);
        watch = std::move(sandbox->watch);
        uid = sandbox->record.request.pod.uid;
    }
    if (!watch) return;
    watcher_.remove(watch.get());
    for (const ContainerPointer& container : containers_of(sandbox_id)) {
        refresh(container->record.container_id);
        lose(*container);
    }
    host_.request_reconcile("pod/" + uid);
}

// Without a shim nobody knows its end, nor holds its mounts.
void Machine::lose(Container& container) {
    ContainerRecord record;
    {
        const std::lock_guard lock(mutex_);
        if (container.phase != Phase::running && container.phase != Phase::created) return;
        container.phase = Phase::exited;
        container.record.exit_code = unknown_code;
        container.record.reason = "Error";
        container.record.message = "the container ended with its pod's shim, or with the machine";
        container.record.finished_at = time_text(host_.unix_time().count() * 1000);
        record = container.record;
    }
    ended_.notify_all();
    save(record);
    if (!cgroups_.destroy(record.cgroup))
        host_.warn("processes of container " + record.container_id + " do not end");
}

void Machine::refresh(const std::string& container_id) {
    const ContainerPointer found = find_container(container_id);
    if (!found) return;
    const std::string directory = container_directory(container_id);
    const Status status = read_status(directory);
    std::string message;
    if (status.state == "failed") message = program_message(directory + "/program.log", status.code);
    std::string changed_pod;
    {
        const std::lock_guard lock(mutex_);
        Container& container = *found;
        if (status.state.empty() || container.phase == Phase::exited || container.phase == Phase::making)
            return;
        container.status = status;
        if (status.state == "running") {
            container.phase = Phase::running;
            return;
        }
        container.phase = Phase::exited;
        if (status.state == "failed") {
            container.record.exit_code = start_failure_code;
            container.record.reason = "StartError";
            container.record.message = message;
            container.record.finished_at = time_text(status.finished_ns);
        }
        const auto pod = sandboxes_.find(container.record.sandbox_id);
        const bool is_news = !container.is_stopping && status.state == "ended";
        if (is_news && pod != sandboxes_.end()) changed_pod = pod->second->record.request.pod.uid;
    }
    ended_.notify_all();
    if (!changed_pod.empty()) host_.request_reconcile("pod/" + changed_pod);
}

}  // namespace keelson::oci
