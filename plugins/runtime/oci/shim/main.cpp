// The process of a pod: it holds the pod's namespaces, is the parent of its containers, writes their logs and
// exit codes, and outlives the plugin. One thread, no heap: there is one of these for every pod.
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <initializer_list>

#include "container.h"
#include "execution.h"
#include "orphans.h"
#include "process.h"
#include "relay.h"
#include "sandbox.h"

namespace keelson::oci::shim {
namespace {

struct Connection {
    int descriptor = -1;
    bool watches = false;
};

Sandbox sandbox;
Message message;
Poller poller;
Connection connections[64];
int listener = -1;
int signals = -1;
bool is_ending = false;

void close_connection(Connection& connection) {
    if (connection.descriptor >= 0) ::close(connection.descriptor);
    connection = Connection();
}

void tell_change(const char* id) {
    for (const Connection& connection : connections)
        if (connection.watches) Reply(Kind::changed).add(field::container, id).send(connection.descriptor);
}

void give_network(int connection) {
    const int network = ::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (network < 0) return reply_failed(connection, "opening the pod's network", errno);
    Reply(Kind::done)
        .add(field::process, sandbox.first_process)
        .add(field::shim, ::getpid())
        .send(connection, sandbox.has_network ? network : -1);
    ::close(network);
}

void give_socket(int connection) {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket < 0) return reply_failed(connection, "making a socket in the pod's network", errno);
    reply_done(connection, socket);
    ::close(socket);
}

void quit(int connection) {
    if (have_containers()) return reply_failed(connection, "containers of the pod still run");
    reply_done(connection);
    is_ending = true;
}

// True when the connection belongs to what was begun.
bool serve(int connection) {
    switch (message.kind()) {
        case Kind::network:
            give_network(connection);
            break;
        case Kind::socket:
            give_socket(connection);
            break;
        case Kind::quit:
            quit(connection);
            break;
        case Kind::prepare:
            prepare_container(message, connection);
            break;
        case Kind::start:
            return start_container(message, connection);
        case Kind::signal:
            signal_container(message, connection);
            break;
        case Kind::attach:
            attach_container(message, connection);
            break;
        case Kind::reopen:
            reopen_container(message, connection);
            break;
        case Kind::discard:
            discard_container(message, connection);
            break;
        case Kind::execute:
            return start_execution(message, connection);
        case Kind::run:
            return run_program(message, connection);
        case Kind::resize:
            message.has(field::execution) ? resize_execution(message, connection)
                                          : resize_container(message, connection);
            break;
        default:
            reply_failed(connection, "this shim does not know that request");
    }
    return false;
}

void packet_came(void* object, short /*events*/) {
    Connection& connection = *static_cast<Connection*>(object);
    if (connection.descriptor < 0) return;
    if (!message.receive(connection.descriptor)) return close_connection(connection);
    if (message.kind() == Kind::watch) {
        connection.watches = true;
    } else if (serve(connection.descriptor)) {
        connection = Connection();
    }
    message.reset();
}

void client_came(void* /*object*/, short /*events*/) {
    const int descriptor = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (descriptor < 0) return;
    for (Connection& connection : connections) {
        if (connection.descriptor >= 0) continue;
        connection.descriptor = descriptor;
        return;
    }
    ::close(descriptor);
}

void processes_ended(void* /*object*/, short /*events*/) {
    signalfd_siginfo one;
    while (::read(signals, &one, sizeof one) > 0) {
    }
    int status = 0;
    for (pid_t process = 0; (process = ::waitpid(-1, &status, WNOHANG)) > 0;) {
        const int code = exit_code(status);
        if (process == sandbox.first_process) {
            sandbox.first_process = 0;
            is_ending = true;
        } else if (!container_process_ended(process, code) && !execution_process_ended(process, code)) {
            orphans.keep(process, code);
        }
    }
}

bool listen_here() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, socket_name, std::strlen(socket_name) + 1);
    ::unlink(socket_name);
    listener = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return listener >= 0 &&
           ::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
           ::listen(listener, 64) == 0;
}

void take_signals() {
    sigset_t mine;
    ::sigemptyset(&mine);
    ::sigaddset(&mine, SIGCHLD);
    ::sigprocmask(SIG_SETMASK, &mine, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
    signals = ::signalfd(-1, &mine, SFD_CLOEXEC | SFD_NONBLOCK);
}

bool begin() {
    pollfd waiting{setup_descriptor, POLLIN, 0};
    // Without a plugin that says what to do there is nothing to do.
    if (::poll(&waiting, 1, -1) != 1 || !message.receive(setup_descriptor) || message.kind() != Kind::setup)
        return false;
    const char* what = "";
    take_signals();
    bool good = set_up(message, sandbox, what);
    if (good) {
        what = "listening to the plugin";
        good = signals >= 0 && listen_here();
    }
    const int failure = errno;
    message.reset();
    if (!good) {
        reply_failed(setup_descriptor, what, failure);
        return false;
    }
    give_network(setup_descriptor);
    connections[0] = {setup_descriptor, true};
    begin_containers(&tell_change);
    return true;
}

int shorter(int one_ms, int other_ms) {
    if (one_ms < 0 || other_ms < 0) return one_ms < 0 ? other_ms : one_ms;
    return one_ms < other_ms ? one_ms : other_ms;
}

void work() {
    while (!is_ending || have_containers()) {
        poller.begin();
        poller.add(signals, POLLIN, &processes_ended, nullptr);
        poller.add(listener, POLLIN, &client_came, nullptr);
        for (Connection& connection : connections)
            poller.add(connection.descriptor, POLLIN, &packet_came, &connection);
        poll_containers(poller);
        poll_executions(poller);
        poll_relays(poller);
        poller.wait(shorter(tend_containers(), tend_executions()));
    }
}

}  // namespace
}  // namespace keelson::oci::shim

int main() {
    using namespace keelson::oci::shim;
    // The plugin is not its parent: it may end at any time, and children are not for it to reap.
    const pid_t shim = ::fork();
    if (shim != 0) return shim > 0 ? 0 : 1;
    ::prctl(PR_SET_NAME, "keelson-pod");
    for (const int descriptor : {setup_descriptor, lock_descriptor}) ::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
    ::syscall(SYS_close_range, unsigned(lock_descriptor) + 1, ~0U, 0U);
    ::umask(022);  // what the plugin's host has is narrower, and logs are for others too
    if (!begin()) return 1;
    work();
    if (sandbox.first_process > 0) ::kill(sandbox.first_process, SIGKILL);
    ::unlink(socket_name);
    return 0;
}
