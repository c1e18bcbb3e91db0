#include "sdk/host_protocol/launch.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace keelson::host_protocol {
namespace {

constexpr int kHelloTimeoutSeconds = 15;
constexpr int kListenerNumber = 3;

struct Address {
    sockaddr_un value{};
    Descriptor directory;  // keeps /proc/self/fd/... valid
};

// A path of any length, through a descriptor of its directory.
Result<Address> address_of(const std::string& directory, const std::string& name) {
    Address address;
    address.directory = Descriptor(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!address.directory) return system_problem(directory, errno);
    const std::string path = "/proc/self/fd/" + std::to_string(address.directory.get()) + "/" + name;
    if (path.size() >= sizeof address.value.sun_path) return system_problem(name, ENAMETOOLONG);
    address.value.sun_family = AF_UNIX;
    path.copy(address.value.sun_path, path.size());
    return address;
}

class Arguments {
  public:
    void add(std::string text) { texts_.push_back(std::move(text)); }
    void add(const char* option, std::string value) {
        texts_.emplace_back(option);
        texts_.push_back(std::move(value));
    }
    char** values() {
        pointers_.clear();
        for (std::string& text : texts_) pointers_.push_back(text.data());
        pointers_.push_back(nullptr);
        return pointers_.data();
    }

  private:
    std::vector<std::string> texts_;
    std::vector<char*> pointers_;
};

Arguments arguments_for(const HostCommand& command) {
    Arguments arguments;
    arguments.add(command.program);
    arguments.add("--listener", std::to_string(kListenerNumber));
    arguments.add("--name", command.name);
    arguments.add("--library", command.library);
    arguments.add("--id", command.id);
    arguments.add("--plugin-version", command.version);
    arguments.add("--sha256", command.sha256);
    arguments.add("--state-directory", command.state_directory);
    arguments.add("--node-name", command.node_name);
    arguments.add("--concurrent-calls", std::to_string(command.concurrent_calls));
    arguments.add("--orphan-grace-seconds", std::to_string(command.orphan_grace_seconds));
    for (const std::string& directory : command.cgroups) arguments.add("--cgroup", directory);
    for (const std::string& capability : command.capabilities) arguments.add("--keep-capability", capability);
    if (!command.seccomp) arguments.add("--no-seccomp");
    if (command.offers_objects) arguments.add("--objects");
    if (command.checks_documents) arguments.add("--check-documents");
    if (command.dies_with_parent) arguments.add("--die-with-parent");
    return arguments;
}

}  // namespace

tl::unexpected<Problem> system_problem(std::string_view what, int error_number) {
    const std::string text = std::generic_category().message(error_number);
    return problem(Problem::Kind::system, std::string(what) + ": " + text);
}

Result<Descriptor> listen_at(const std::string& directory, const std::string& name) {
    auto address = address_of(directory, name);
    if (!address) return tl::unexpected(address.error());
    Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto* where = reinterpret_cast<const sockaddr*>(&address->value);
    if (!socket || ::bind(socket.get(), where, sizeof address->value) != 0 || ::listen(socket.get(), 4) != 0)
        return system_problem("making the plugin's socket", errno);
    return socket;
}

Result<Descriptor> connect_to(const std::string& directory, const std::string& name) {
    auto address = address_of(directory, name);
    if (!address) return tl::unexpected(address.error());
    Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto* where = reinterpret_cast<const sockaddr*>(&address->value);
    if (!socket || ::connect(socket.get(), where, sizeof address->value) != 0)
        return system_problem("connecting to the plugin's process", errno);
    return socket;
}

// A session of its own: a signal for the terminal of keelsond is none for the plugin.
Result<pid_t> spawn_host(const HostCommand& command, int listener) {
    Arguments arguments = arguments_for(command);
    Arguments environment;
    environment.add("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    environment.add("LANG=C.UTF-8");
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions, listener, kListenerNumber);
    posix_spawnattr_t attributes;
    ::posix_spawnattr_init(&attributes);
    ::posix_spawnattr_setflags(&attributes,
                               POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    sigset_t none;
    sigset_t all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setsigdefault(&attributes, &all);
    pid_t process = 0;
    const int failure = ::posix_spawn(&process, command.program.c_str(), &actions, &attributes,
                                      arguments.values(), environment.values());
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
    if (failure != 0) return system_problem("starting " + command.program, failure);
    return process;
}

Result<Hello> receive_hello(FrameSocket& socket) {
    const timeval patience{kHelloTimeoutSeconds, 0};
    ::setsockopt(socket.descriptor(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    auto frame = socket.read();
    if (!frame) return tl::unexpected(frame.error());
    const timeval forever{};
    ::setsockopt(socket.descriptor(), SOL_SOCKET, SO_RCVTIMEO, &forever, sizeof forever);
    if (frame->type != FrameType::hello)
        return problem(Problem::Kind::nonsense, "the plugin's process did not introduce itself");
    auto hello = decode_hello(frame->body);
    if (hello && hello->protocol != kProtocol)
        return problem(Problem::Kind::nonsense, "the plugin's process is of another version of Keelson");
    return hello;
}

}  // namespace keelson::host_protocol
