// What goes into containers and sandboxes and comes out of them while they run.
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "files.h"
#include "machine.h"
#include "program_log.h"
#include "specification.h"

namespace keelson::oci {
namespace {

using shim::Kind;
namespace field = shim::field;

constexpr int connect_ms = 5000;
constexpr int client_buffer_bytes = 1 << 20;  // how far a client may stay behind before it is dropped
constexpr int exec_ms = 120'000;

struct Ends {
    Descriptor ours;    // for the caller
    Descriptor theirs;  // for the shim
};

// A program may open what it has as /dev/stdout again, which works for pipes only.
Ends make_pipe(bool into_container) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw system_error("making a pipe");
    Descriptor reading(ends[0]);
    Descriptor writing(ends[1]);
    if (into_container) return {std::move(writing), std::move(reading)};
    return {std::move(reading), std::move(writing)};
}

// Its buffer is what a slow client may leave unread.
Ends make_stream() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        throw system_error("making a socket");
    Ends made{Descriptor(ends[0]), Descriptor(ends[1])};
    if (::setsockopt(ends[1], SOL_SOCKET, SO_SNDBUFFORCE, &client_buffer_bytes, sizeof client_buffer_bytes) !=
        0)
        ::setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &client_buffer_bytes, sizeof client_buffer_bytes);
    return made;
}

// Both sides of what a request asks for, in the order of runtime.h: input, output, error, result.
struct Streams {
    std::string letters;
    std::vector<Ends> ends;

    void add(bool wanted, char letter, Ends (*make)(bool)) {
        if (!wanted) return;
        letters += letter;
        ends.push_back(make(letter == 'i'));
    }
    void give(const Call& call) const {
        for (const Ends& pair : ends) call.pass_descriptor(pair.ours.get());
    }
    [[nodiscard]] std::vector<int> theirs() const {
        std::vector<int> descriptors;
        for (const Ends& pair : ends) descriptors.push_back(pair.theirs.get());
        return descriptors;
    }
};

Ends stream_of(bool /*into_container*/) {
    return make_stream();
}

}  // namespace

ContainerRecord Machine::running(const std::string& id) const {
    const ContainerPointer found = container(id);
    const std::lock_guard lock(mutex_);
    if (found->phase != Phase::running)
        throw Error(Code::conflict, "container " + id + " is not running", "containerId");
    return found->record;
}

runtime::Executing Machine::exec(const runtime::Exec& request, const Call& call) {
    const ContainerRecord record = running(request.container_id);
    if (request.command.empty()) throw Error(Code::invalid, "there is no command to execute", "command");
    const std::string directory = container_directory(record.container_id);
    std::uint64_t number = 0;
    {
        const std::lock_guard lock(mutex_);
        number = ++executions_;
    }
    const std::string id = "exec-" + std::to_string(::getpid()) + "-" + std::to_string(number);
    const Json specification =
        Json::parse(read_file(directory + "/config.json").value_or(""), nullptr, false);
    if (!specification.is_object()) throw Error(Code::internal, directory + "/config.json cannot be read");
    const std::string process = directory + "/" + id + ".json";
    const std::string log = directory + "/" + id + ".log";
    replace_file(process, specify_execution(specification, request.command, request.tty).dump());
    Packet packet = program_packet(Kind::execute);
    const std::string pid_file = directory + "/" + id + ".pid";
    for (const std::string& word :
         {std::string("--log"), log, std::string("--log-format"), std::string("json"), std::string("exec"),
          std::string("--detach"), std::string("--pid-file"), pid_file, std::string("--process"), process})
        packet.add(field::argument, word);
    if (request.tty) {
        packet.add(field::argument, "--console-socket");
        packet.add(field::argument, std::string(shim::mounts_directory) + "/" + id + ".tty")
            .flag(field::terminal);
    }
    packet.add(field::argument, record.container_id);
    packet.add(field::container, record.container_id)
        .add(field::execution, id)
        .add(field::pid_file, pid_file);
    if (request.timeout_seconds && *request.timeout_seconds > 0)
        packet.add(field::timeout_ms, std::int64_t(*request.timeout_seconds) * 1000);
    Streams streams;
    streams.add(request.standard_input, 'i', &make_pipe);
    streams.add(request.standard_output, 'o', &make_pipe);
    streams.add(request.standard_error && !request.tty, 'e', &make_pipe);
    packet.add(field::streams, streams.letters);
    streams.ends.push_back(make_pipe(false));
    const Answer answer = ask_shim(sandbox_directory(record.sandbox_id), packet, streams.theirs(), exec_ms);
    const std::string message = answer.is_done() ? "" : program_message(log, answer);
    for (const std::string& left : {process, log, pid_file}) ::unlink(left.c_str());
    if (!answer.is_done()) throw Error(Code::invalid, message, "command");
    // A terminal has one output.
    if (request.tty && request.standard_error) streams.ends.insert(streams.ends.end() - 1, make_pipe(false));
    streams.give(call);
    return {id};
}

void Machine::attach(const runtime::Attach& request, const Call& call) {
    const ContainerRecord record = running(request.container_id);
    Streams streams;
    streams.add(request.standard_input, 'i', &stream_of);
    streams.add(request.standard_output, 'o', &stream_of);
    streams.add(request.standard_error, 'e', &stream_of);
    Packet packet(Kind::attach);
    packet.add(field::container, record.container_id).add(field::streams, streams.letters);
    streams.ends.push_back(make_stream());
    const Answer answer = ask_shim(sandbox_directory(record.sandbox_id), packet, streams.theirs());
    if (!answer.is_done()) throw Error(Code::conflict, answer.message());
    streams.give(call);
}

void Machine::resize(const runtime::Resize& request) {
    const ContainerPointer found = container(request.container_id);
    if (request.columns < 0 || request.rows < 0 || request.columns > 65'535 || request.rows > 65'535)
        throw Error(Code::invalid, "a terminal has no such size", "columns");
    Packet packet(Kind::resize);
    packet.add(field::container, request.container_id);
    if (!request.exec_id.empty()) packet.add(field::execution, request.exec_id);
    packet.add(field::columns, request.columns).add(field::rows, request.rows);
    const Answer answer = ask_shim(sandbox_directory(found->record.sandbox_id), packet);
    if (!answer.is_done()) throw Error(Code::conflict, answer.message());
}

void Machine::reopen_log(const std::string& id) {
    const ContainerPointer found = container(id);
    Packet packet(Kind::reopen);
    const Answer answer =
        ask_shim(sandbox_directory(found->record.sandbox_id), packet.add(field::container, id));
    if (!answer.is_done()) throw Error(Code::conflict, answer.message());
}

void Machine::port_forward(const runtime::PortForward& request, const Call& call) {
    static_cast<void>(sandbox(request.sandbox_id));
    if (request.port < 1 || request.port > 65'535)
        throw Error(Code::invalid, "there is no such port", "port");
    const Answer answer = ask_shim(sandbox_directory(request.sandbox_id), Packet(Kind::socket));
    if (!answer.is_done() || answer.descriptors.empty()) throw Error(Code::internal, answer.message());
    // The socket is of the pod's network whoever connects it.
    const int socket = answer.descriptors.front().get();
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(std::uint16_t(request.port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::fcntl(socket, F_SETFL, O_NONBLOCK);
    int failure =
        ::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
    if (failure == EINPROGRESS) {
        pollfd waiting{socket, POLLOUT, 0};
        socklen_t size = sizeof failure;
        failure = ETIMEDOUT;
        if (::poll(&waiting, 1, connect_ms) == 1) ::getsockopt(socket, SOL_SOCKET, SO_ERROR, &failure, &size);
    }
    if (failure != 0)
        throw Error(Code::unavailable, "connecting to port " + std::to_string(request.port) +
                                           " of the pod: " + std::strerror(failure));
    ::fcntl(socket, F_SETFL, 0);
    call.pass_descriptor(socket);
}

void Machine::update_resources(const runtime::UpdateResources& request) {
    const ContainerPointer updated = container(request.container_id);
    const std::lock_guard operation(updated->operation);
    const std::string directory = container_directory(request.container_id);
    Json specification = Json::parse(read_file(directory + "/config.json").value_or(""), nullptr, false);
    if (!specification.is_object()) throw Error(Code::internal, directory + "/config.json cannot be read");
    const Json resources = specify_resources(request.resources);
    bool is_running = false;
    {
        const std::lock_guard lock(mutex_);
        is_running = updated->phase == Phase::running;
    }
    if (is_running) {
        const std::string file = directory + "/resources.json";
        const std::string log = directory + "/update.log";
        replace_file(file, resources.dump());
        Packet packet = program_packet(Kind::run);
        for (const std::string& word :
             {std::string("--log"), log, std::string("--log-format"), std::string("json"),
              std::string("update"), std::string("--resources"), file, request.container_id})
            packet.add(field::argument, word);
        const Answer answer = ask_shim(sandbox_directory(updated->record.sandbox_id), packet);
        const std::string message = answer.is_done() ? "" : program_message(log, answer);
        for (const std::string& left : {file, log}) ::unlink(left.c_str());
        if (!answer.is_done()) throw Error(Code::internal, message);
    }
    specification["linux"]["resources"].update(resources);
    replace_file(directory + "/config.json", specification.dump());
}

runtime::Stats Machine::stats(const std::string& sandbox_id) {
    std::vector<ContainerRecord> running;
    std::vector<SandboxRecord> pods;
    {
        const std::lock_guard lock(mutex_);
        for (const auto& [id, container] : containers_)
            if (container->phase == Phase::running &&
                (sandbox_id.empty() || container->record.sandbox_id == sandbox_id))
                running.push_back(container->record);
        for (const auto& [id, sandbox] : sandboxes_)
            if (sandbox->watch && (sandbox_id.empty() || id == sandbox_id)) pods.push_back(sandbox->record);
    }
    runtime::Stats stats;
    for (const ContainerRecord& record : running) {
        const Consumption used = cgroups_.consumption(record.cgroup);
        const std::int64_t written =
            usage_.bytes(data_directory(record.container_id) + "/upper", host_.monotonic().count());
        stats.containers.push_back(
            {record.container_id, used.cpu_ns, used.memory_bytes, used.working_set_bytes, written});
    }
    for (const SandboxRecord& record : pods) {
        const Consumption used = cgroups_.consumption(record.request.cgroup_parent);
        stats.sandboxes.push_back({record.request.sandbox_id, used.cpu_ns, used.memory_bytes,
                                   used.working_set_bytes, used.processes});
    }
    return stats;
}

}  // namespace keelson::oci
