#include "execution.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>

#include "orphans.h"
#include "process.h"
#include "relay.h"

namespace keelson::oci::shim {
namespace {

enum class Phase : std::uint8_t { free, starting, running };

struct Execution {
    Phase phase;
    bool only_program;  // there is no process but the runtime's program
    char id[identifier_bytes];
    std::uint64_t owner;  // of its relays
    pid_t runtime;
    pid_t process;
    int connection;
    int listener;
    int terminal;
    Streams client;  // for the terminal, until it comes
    int result;
    std::int64_t deadline_ms;  // 0: none
    char pid_file[896];
};

Execution executions[64];

void close_descriptor(int& descriptor) {
    if (descriptor >= 0) ::close(descriptor);
    descriptor = -1;
}

void release(Execution& execution) {
    close_descriptor(execution.listener);
    close_descriptor(execution.terminal);
    close_descriptor(execution.connection);
    close_descriptor(execution.result);
    execution.client.close();
    execution.phase = Phase::free;
}

Execution* allocate() {
    for (Execution& execution : executions) {
        if (execution.phase != Phase::free) continue;
        execution.only_program = false;
        execution.id[0] = 0;
        execution.owner = new_owner();
        execution.runtime = execution.process = 0;
        execution.connection = execution.listener = execution.terminal = execution.result = -1;
        execution.deadline_ms = 0;
        execution.client = no_streams;
        return &execution;
    }
    return nullptr;
}

void ended(Execution& execution, int code) {
    tell_result(execution.result, code);
    execution.result = -1;
    release(execution);
}

// Who leaves a terminal hangs up: the last descriptor of it is closed.
void client_left(std::uint64_t owner) {
    for (Execution& execution : executions) {
        if (execution.phase != Phase::running || execution.owner != owner) continue;
        stop_relays(owner);
        close_descriptor(execution.terminal);
    }
}

void terminal_came(void* object, short /*events*/) {
    auto& execution = *static_cast<Execution*>(object);
    const int terminal = execution.listener < 0 ? -1 : accept_terminal(execution.listener);
    if (terminal < 0) return;
    close_descriptor(execution.listener);
    execution.terminal = terminal;
    const auto duplicate = [&] { return ::fcntl(terminal, F_DUPFD_CLOEXEC, 0); };
    if (execution.client.input >= 0) start_relay(execution.client.input, duplicate(), execution.owner);
    if (execution.client.output >= 0)
        start_relay(duplicate(), execution.client.output, execution.owner, &client_left);
    execution.client.input = execution.client.output = -1;
}

void started(Execution& execution) {
    char text[24];
    read_file(execution.pid_file, text, sizeof text);
    ::unlink(execution.pid_file);
    execution.process = pid_t(parse_number(text));
    execution.phase = Phase::running;
    terminal_came(&execution, 0);
    reply_done(execution.connection);
    close_descriptor(execution.connection);
    int code = 0;
    if (orphans.take(execution.process, code)) ended(execution, code);
}

void runtime_ended(Execution& execution, int code) {
    execution.runtime = 0;
    if (code == 0 && !execution.only_program) return started(execution);
    Reply reply(code == 0 ? Kind::done : Kind::failed);
    reply.add(field::code, code).send(execution.connection);
    release(execution);
}

// The descriptors in the order of the three standard streams.
void take_streams(Message& request, Streams& streams) {
    for (const char* letter = request.text(field::streams); *letter != 0; ++letter) {
        int& stream = *letter == 'i' ? streams.input : *letter == 'o' ? streams.output : streams.error;
        stream = request.take_descriptor();
    }
}

bool launch(Execution& execution, const Message& request, Streams& streams) {
    if (request.has(field::terminal)) {
        Buffer<768> path;
        path.add(mounts_directory).add('/').add(execution.id).add(".tty");
        execution.listener = listen_for_terminal(path.data());
        if (execution.listener < 0) return false;
        execution.client = streams;
        streams = no_streams;
    }
    execution.runtime = spawn(request, streams);
    return execution.runtime > 0;
}

bool begin(Execution& execution, const Message& request, Streams streams, int connection) {
    const bool good = launch(execution, request, streams);
    const int failure = errno;
    streams.close();
    if (!good) {
        reply_failed(connection, "starting the runtime's program", failure);
        release(execution);
        return false;
    }
    execution.connection = connection;
    execution.phase = Phase::starting;
    orphans.expect();
    return true;
}

}  // namespace

bool start_execution(Message& request, int connection) {
    Execution* execution = allocate();
    if (execution == nullptr || std::strlen(request.text(field::execution)) >= identifier_bytes) {
        reply_failed(connection, "too much is executed in this pod at once");
        return false;
    }
    Text(execution->id, sizeof execution->id).add(request.text(field::execution));
    Text(execution->pid_file, sizeof execution->pid_file).add(request.text(field::pid_file));
    const std::int64_t timeout_ms = request.number(field::timeout_ms);
    execution->deadline_ms = timeout_ms > 0 ? monotonic_ms() + timeout_ms : 0;
    Streams streams = no_streams;
    take_streams(request, streams);
    execution->result = request.take_descriptor();
    return begin(*execution, request, streams, connection);
}

bool run_program(Message& request, int connection) {
    Execution* execution = allocate();
    if (execution == nullptr) {
        reply_failed(connection, "too much is executed in this pod at once");
        return false;
    }
    execution->only_program = true;
    return begin(*execution, request, no_streams, connection);
}

void resize_execution(const Message& request, int connection) {
    const winsize size{static_cast<unsigned short>(request.number(field::rows)),
                       static_cast<unsigned short>(request.number(field::columns)), 0, 0};
    for (const Execution& execution : executions) {
        const bool is_it =
            execution.phase != Phase::free && std::strcmp(execution.id, request.text(field::execution)) == 0;
        if (is_it && execution.terminal >= 0) ::ioctl(execution.terminal, TIOCSWINSZ, &size);
    }
    reply_done(connection);
}

void poll_executions(Poller& poller) {
    for (Execution& execution : executions)
        if (execution.phase != Phase::free)
            poller.add(execution.listener, POLLIN, &terminal_came, &execution);
}

bool execution_process_ended(pid_t process, int code) {
    for (Execution& execution : executions) {
        if (execution.phase == Phase::starting && execution.runtime == process) {
            runtime_ended(execution, code);
            orphans.expect_no_more();
            return true;
        }
        if (execution.phase == Phase::running && execution.process == process) {
            ended(execution, code);
            return true;
        }
    }
    return false;
}

int tend_executions() {
    std::int64_t next_ms = -1;
    const std::int64_t now_ms = monotonic_ms();
    for (Execution& execution : executions) {
        if (execution.phase != Phase::running || execution.deadline_ms == 0) continue;
        std::int64_t left_ms = execution.deadline_ms - now_ms;
        if (left_ms <= 0) {
            ::kill(execution.process, SIGKILL);
            execution.deadline_ms = 0;
            continue;
        }
        if (left_ms > 60'000) left_ms = 60'000;
        if (next_ms < 0 || left_ms < next_ms) next_ms = left_ms;
    }
    return int(next_ms);
}

}  // namespace keelson::oci::shim
