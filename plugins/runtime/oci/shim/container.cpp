#include "container.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "log.h"
#include "orphans.h"
#include "process.h"
#include "relay.h"

namespace keelson::oci::shim {
namespace {

constexpr int look_again_ms = 10;
constexpr int drain_ms = 1000;      // how long output may still come after the last process has ended
constexpr int killing_ms = 30'000;  // a process that does not die by then waits for a device
constexpr unsigned most_lowers = 250;

enum class Phase : std::uint8_t { free, prepared, starting, running, ending };

// Somebody who reads along; -1: not asked for.
struct Client {
    int output;
    int error;
    int result;
};

struct Container {
    Phase phase;
    bool terminal;
    bool input_once;
    char id[identifier_bytes];
    std::uint64_t owner;  // of its relays
    pid_t runtime;        // the program that makes it
    pid_t process;
    int connection;  // that waits for the start
    int listener;    // for the terminal
    int input;       // to its standard input
    int outputs[2];  // its standard output and error; or the terminal, and nothing
    int code;
    std::int64_t started_ns;
    std::int64_t finished_ns;
    std::int64_t ended_ms;
    Log log;
    LineBuffer lines[2];
    Client clients[8];
    char directory[768];
    char pid_file[896];
    char oom[896];
    char cgroups[8192];  // directories, each with its zero byte, then an empty one
};

Container containers[96];
Changed tell_change;

Container* find(const char* id) {
    for (Container& container : containers)
        if (container.phase != Phase::free && std::strcmp(container.id, id) == 0) return &container;
    return nullptr;
}

// Of the request, or null after having said so.
Container* find(const Message& request, int connection) {
    Container* found = find(request.text(field::container));
    if (found == nullptr) reply_failed(connection, "the pod has no such container that runs");
    return found;
}

void close_descriptor(int& descriptor) {
    if (descriptor >= 0) ::close(descriptor);
    descriptor = -1;
}

// --- its file system ---

struct RootPath : Buffer<768> {
    explicit RootPath(const char* id) { add(mounts_directory).add('/').add(id); }
};

int open_directory(const char* path) {
    return ::open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

// Layers are named by descriptor: mount options have a page, and a path may hold any character.
bool mount_layers(const Message& request, const char* target) {
    int opened[most_lowers + 2];
    unsigned count = 0;
    bool good = true;
    Buffer<4096> options;
    const auto add = [&](const char* before, const char* path) {
        good = good && count < most_lowers + 2;
        if (!good) return;
        opened[count] = open_directory(path);
        good = opened[count] >= 0;
        if (good) options.add(before).add("/proc/self/fd/").number(opened[count++]);
    };
    options.add("index=off,");
    const char* before = "lowerdir=";
    request.each([&](char letter, const char* path) {
        if (letter != field::lower) return;
        add(before, path);
        before = ":";
    });
    add(",upperdir=", request.text(field::upper));
    add(",workdir=", request.text(field::work));
    if (good && options.overflowed()) {
        errno = E2BIG;
        good = false;
    }
    good = good && ::mount("overlay", target, "overlay", 0, options.data()) == 0;
    const int failure = errno;
    while (count > 0) ::close(opened[--count]);
    errno = failure;
    return good;
}

void unmount(const Container& container) {
    const RootPath root(container.id);
    ::umount2(root.data(), MNT_DETACH);
    ::rmdir(root.data());
}

// --- its state ---

void write_status(const Container& container, const char* state, bool out_of_memory) {
    Buffer<512> text;
    text.add("state ").add(state).add("\nprocess ").number(container.process);
    text.add("\nstarted ").number(container.started_ns).add("\nfinished ").number(container.finished_ns);
    text.add("\ncode ").number(container.code).add("\noom ").number(out_of_memory ? 1 : 0).add('\n');
    Buffer<896> path;
    Buffer<896> beside;
    path.add(container.directory).add('/').add(status_name);
    beside.add(path.data()).add(".new");
    if (write_file(beside.data(), text.data(), text.size())) ::rename(beside.data(), path.data());
}

// Whether the kernel has killed something in it for lack of memory. Both versions count: "oom_kill N".
bool ran_out_of_memory(const Container& container) {
    char text[1024];
    read_file(container.oom, text, sizeof text);
    for (const char* line = text; line != nullptr; line = std::strchr(line, '\n')) {
        if (*line == '\n') ++line;
        if (std::strncmp(line, "oom_kill ", 9) == 0) return parse_number(line + 9) > 0;
        if (*line == 0) break;
    }
    return false;
}

// --- its processes ---

// Every process of the cgroup; answers how many there were.
int signal_all(const Container& container, int signal) {
    if (container.cgroups[0] == 0) return 0;
    Buffer<1024> path;
    path.add(container.cgroups).add("/cgroup.procs");
    char list[16'384];
    const std::size_t size = read_file(path.data(), list, sizeof list);
    int count = 0;
    for (const char* at = list; at < list + size;) {
        const auto process = pid_t(parse_number(at));
        if (process > 1 && ::kill(process, signal) == 0) ++count;
        const char* end = std::strchr(at, '\n');
        if (end == nullptr) break;
        at = end + 1;
    }
    return count;
}

void remove_cgroups(const Container& container) {
    for (const char* at = container.cgroups; *at != 0; at += std::strlen(at) + 1) ::rmdir(at);
}

// --- its output ---

void drop(Client& client) {
    close_descriptor(client.output);
    close_descriptor(client.error);
    close_descriptor(client.result);
}

bool takes(int stream, const char* data, std::size_t size) {
    return ::send(stream, data, size, MSG_DONTWAIT | MSG_NOSIGNAL) == ssize_t(size);
}

// Who does not read fast enough for what a socket holds is left behind.
void copy_to_clients(Container& container, int number, const char* data, std::size_t size) {
    for (Client& client : container.clients) {
        const int stream = number == 0 ? client.output : client.error;
        if (stream >= 0 && !takes(stream, data, size)) drop(client);
    }
}

// One piece of output; false when there is none now or any more.
bool take_output(Container& container, int number) {
    if (container.outputs[number] < 0) return false;
    LineBuffer& lines = container.lines[number];
    char* room = lines.room();
    const ssize_t got = ::read(container.outputs[number], room, lines.room_size());
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    if (got <= 0) {  // EIO: nobody has the terminal open any more
        close_descriptor(container.outputs[number]);
        return false;
    }
    copy_to_clients(container, number, room, std::size_t(got));
    lines.filled(std::size_t(got), container.log);
    return true;
}

void output_came(void* object, short /*events*/) {
    auto& container = *static_cast<Container*>(object);
    take_output(container, 0);
    take_output(container, 1);
}

void client_left(void* object, short events) {
    if ((events & (POLLHUP | POLLERR)) != 0) drop(*static_cast<Client*>(object));
}

void terminal_came(void* object, short /*events*/) {
    auto& container = *static_cast<Container*>(object);
    const int terminal = accept_terminal(container.listener);
    if (terminal < 0) return;
    close_descriptor(container.listener);
    container.outputs[0] = terminal;
}

// --- its life ---

void release(Container& container) {
    stop_relays(container.owner);
    close_descriptor(container.listener);
    close_descriptor(container.input);
    for (int& output : container.outputs) close_descriptor(output);
    for (Client& client : container.clients) drop(client);
    container.log.close();
    unmount(container);
    container.phase = Phase::free;
}

void finish(Container& container) {
    for (int number = 0; number < 2; ++number) container.lines[number].end(container.log);
    const bool out_of_memory = ran_out_of_memory(container);
    remove_cgroups(container);
    for (Client& client : container.clients) {
        tell_result(client.result, container.code);
        client.result = -1;
    }
    write_status(container, "ended", out_of_memory);
    release(container);
    tell_change(container.id);
}

void begin_ending(Container& container, int code) {
    container.phase = Phase::ending;
    container.code = code;
    container.finished_ns = unix_ns();
    container.ended_ms = monotonic_ms();
}

void tend(Container& container) {
    const std::int64_t waited_ms = monotonic_ms() - container.ended_ms;
    const bool is_empty = signal_all(container, SIGKILL) == 0 || waited_ms > killing_ms;
    for (int number = 0; number < 2; ++number) {
        while (take_output(container, number)) {
        }
    }
    const bool is_quiet = (container.outputs[0] < 0 && container.outputs[1] < 0) || waited_ms > drain_ms;
    if (is_empty && (is_quiet || container.terminal)) finish(container);
}

void started(Container& container) {
    char text[24];
    read_file(container.pid_file, text, sizeof text);
    ::unlink(container.pid_file);
    container.process = pid_t(parse_number(text));
    container.started_ns = unix_ns();
    container.phase = Phase::running;
    if (container.listener >= 0) terminal_came(&container, 0);
    write_status(container, "running", false);
    Reply(Kind::done).add(field::process, container.process).send(container.connection);
    close_descriptor(container.connection);
    int code = 0;
    if (orphans.take(container.process, code)) begin_ending(container, code);
}

// The runtime has said why in its own log.
void not_started(Container& container, int code) {
    container.code = code;
    container.finished_ns = unix_ns();
    signal_all(container, SIGKILL);
    remove_cgroups(container);
    write_status(container, "failed", false);
    Reply(Kind::failed)
        .add(field::code, code)
        .add(field::message, "the container could not be made")
        .send(container.connection);
    close_descriptor(container.connection);
    release(container);
}

// --- requests ---

void clear(Container& container) {
    container.terminal = container.input_once = false;
    container.owner = new_owner();
    container.runtime = container.process = 0;
    container.connection = container.listener = container.input = -1;
    container.outputs[0] = container.outputs[1] = -1;
    container.code = 0;
    container.started_ns = container.finished_ns = 0;
    for (Client& client : container.clients) client = {-1, -1, -1};
    container.cgroups[0] = 0;
}

bool copy_text(char* to, std::size_t size, const char* text) {
    Text copy(to, size);
    return !copy.add(text).overflowed();
}

bool read_start(Container& container, const Message& request) {
    bool good = copy_text(container.directory, sizeof container.directory, request.text(field::directory)) &&
                copy_text(container.pid_file, sizeof container.pid_file, request.text(field::pid_file)) &&
                copy_text(container.oom, sizeof container.oom, request.text(field::oom));
    Text cgroups(container.cgroups, sizeof container.cgroups - 1);
    request.each([&](char letter, const char* directory) {
        if (letter == field::cgroup) good = good && !cgroups.add(directory).add('\0').overflowed();
    });
    container.terminal = request.has(field::terminal);
    container.input_once = request.has(field::input_once);
    errno = ENAMETOOLONG;
    return good;
}

bool open_pipe(int& reading, int& writing, int& ours) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return false;
    reading = ends[0];
    writing = ends[1];
    return ::fcntl(ours, F_SETFL, O_NONBLOCK) == 0;
}

// Pipes, or the socket over which the terminal comes.
bool open_streams(Container& container, const Message& request, Streams& theirs) {
    container.lines[0].reset("stdout");
    container.lines[1].reset("stderr");
    if (container.terminal) {
        RootPath path(container.id);
        container.listener = listen_for_terminal(path.add(".tty").data());
        return container.listener >= 0;
    }
    if (request.has(field::input) && !open_pipe(theirs.input, container.input, container.input)) return false;
    return open_pipe(container.outputs[0], theirs.output, container.outputs[0]) &&
           open_pipe(container.outputs[1], theirs.error, container.outputs[1]);
}

bool launch(Container& container, const Message& request) {
    Streams theirs = no_streams;
    const bool good = container.log.open(request.text(field::log), request.number(field::log_bytes)) &&
                      open_streams(container, request, theirs);
    container.runtime = good ? spawn(request, theirs) : -1;
    const int failure = errno;
    theirs.close();
    errno = failure;
    return container.runtime > 0;
}

// A terminal takes input as well; both ends of a relay are its own.
int duplicate_input(const Container& container) {
    const int input = container.terminal ? container.outputs[0] : container.input;
    return input < 0 ? -1 : ::fcntl(input, F_DUPFD_CLOEXEC, 0);
}

void input_ended(std::uint64_t owner) {
    for (Container& container : containers)
        if (container.phase == Phase::running && container.owner == owner && container.input_once)
            close_descriptor(container.input);
}

Client* free_client(Container& container) {
    for (Client& client : container.clients)
        if (client.output < 0 && client.error < 0 && client.result < 0) return &client;
    return nullptr;
}

}  // namespace

void begin_containers(Changed changed) {
    tell_change = changed;
}

void prepare_container(const Message& request, int connection) {
    const char* id = request.text(field::container);
    Container* container = find(id);
    const RootPath root(id);
    if (container == nullptr) {
        for (Container& candidate : containers) {
            if (container != nullptr || candidate.phase != Phase::free) continue;
            container = &candidate;
        }
        if (container == nullptr) return reply_failed(connection, "the pod has too many containers");
        if (std::strlen(id) >= identifier_bytes) return reply_failed(connection, "the id is too long");
        ::mkdir(root.data(), 0700);
        if (!mount_layers(request, root.data())) {
            const int failure = errno;
            ::rmdir(root.data());
            return reply_failed(connection, "mounting the container's root", failure);
        }
        clear(*container);
        copy_text(container->id, sizeof container->id, id);
        container->phase = Phase::prepared;
    }
    const int directory = open_directory(root.data());
    reply_done(connection, directory);
    if (directory >= 0) ::close(directory);
}

bool start_container(Message& request, int connection) {
    Container* container = find(request, connection);
    if (container == nullptr) return false;
    if (container->phase != Phase::prepared) {
        reply_failed(connection, "the container was started before");
        return false;
    }
    if (read_start(*container, request) && launch(*container, request)) {
        container->phase = Phase::starting;
        orphans.expect();
        container->connection = connection;
        return true;
    }
    reply_failed(connection, "starting the container", errno);
    release(*container);
    return false;
}

void signal_container(const Message& request, int connection) {
    const Container* container = find(request.text(field::container));
    const bool has_process =
        container != nullptr && (container->phase == Phase::running || container->phase == Phase::ending);
    const int signal = int(request.number(field::number));
    if (has_process && container->phase == Phase::running) ::kill(container->process, signal);
    if (has_process && request.has(field::all)) signal_all(*container, signal);
    reply_done(connection);
}

void attach_container(Message& request, int connection) {
    Container* container = find(request, connection);
    if (container == nullptr) return;
    Client* client = free_client(*container);
    if (container->phase != Phase::running || client == nullptr)
        return reply_failed(connection, client == nullptr ? "the container has too many clients"
                                                          : "the container does not run");
    *client = {-1, -1, -1};
    for (const char* letter = request.text(field::streams); *letter != 0; ++letter) {
        const int descriptor = request.take_descriptor();
        if (*letter == 'i') {
            start_relay(descriptor, duplicate_input(*container), container->owner, &input_ended);
        } else if (*letter == 'o') {
            client->output = descriptor;
        } else {
            client->error = descriptor;
        }
    }
    client->result = request.take_descriptor();
    reply_done(connection);
}

void resize_container(const Message& request, int connection) {
    const Container* container = find(request, connection);
    if (container == nullptr) return;
    const winsize size{static_cast<unsigned short>(request.number(field::rows)),
                       static_cast<unsigned short>(request.number(field::columns)), 0, 0};
    if (container->terminal) ::ioctl(container->outputs[0], TIOCSWINSZ, &size);
    reply_done(connection);
}

void reopen_container(const Message& request, int connection) {
    Container* container = find(request, connection);
    if (container == nullptr) return;
    if (container->phase == Phase::prepared || container->log.reopen()) return reply_done(connection);
    reply_failed(connection, "opening the log", errno);
}

void discard_container(const Message& request, int connection) {
    Container* container = find(request.text(field::container));
    if (container != nullptr && container->phase != Phase::prepared)
        return reply_failed(connection, "the container runs");
    if (container != nullptr) release(*container);
    reply_done(connection);
}

bool have_containers() {
    for (const Container& container : containers)
        if (container.phase > Phase::prepared) return true;
    return false;
}

void poll_containers(Poller& poller) {
    for (Container& container : containers) {
        if (container.phase < Phase::starting) continue;
        poller.add(container.listener, POLLIN, &terminal_came, &container);
        // While it ends its output is looked at from time to time; a closed terminal would be ready for ever.
        if (container.phase != Phase::ending)
            for (const int output : container.outputs) poller.add(output, POLLIN, &output_came, &container);
        for (Client& client : container.clients) {
            poller.add(client.output, 0, &client_left, &client);
            poller.add(client.error, 0, &client_left, &client);
            poller.add(client.result, 0, &client_left, &client);
        }
    }
}

bool container_process_ended(pid_t process, int code) {
    for (Container& container : containers) {
        if (container.phase == Phase::starting && container.runtime == process) {
            container.runtime = 0;
            code == 0 ? started(container) : not_started(container, code);
            orphans.expect_no_more();
            return true;
        }
        if (container.phase == Phase::running && container.process == process) {
            begin_ending(container, code);
            return true;
        }
    }
    return false;
}

int tend_containers() {
    int wait_ms = -1;
    for (Container& container : containers) {
        if (container.phase == Phase::ending) tend(container);
        if (container.phase == Phase::ending) wait_ms = look_again_ms;
    }
    return wait_ms;
}

}  // namespace keelson::oci::shim
