#include "shim_client.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>

#include "files.h"

// The program itself, between two symbols of this object.
asm(".pushsection .rodata\n"
    ".balign 16\n"
    ".hidden keelson_oci_shim_begin\n"
    ".hidden keelson_oci_shim_end\n"
    ".globl keelson_oci_shim_begin\n"
    ".globl keelson_oci_shim_end\n"
    "keelson_oci_shim_begin:\n"
    ".incbin \"" KEELSON_OCI_SHIM
    "\"\n"
    "keelson_oci_shim_end:\n"
    ".popsection\n");
extern "C" __attribute__((visibility("hidden"))) const char keelson_oci_shim_begin[];
extern "C" __attribute__((visibility("hidden"))) const char keelson_oci_shim_end[];

namespace keelson::oci {
namespace {

constexpr int first_spare_descriptor = 10;

class SpawnSettings {
  public:
    SpawnSettings() {
        ::posix_spawn_file_actions_init(&actions_);
        ::posix_spawnattr_init(&attributes_);
        sigset_t all;
        sigset_t none;
        ::sigfillset(&all);
        ::sigemptyset(&none);
        ::posix_spawnattr_setsigdefault(&attributes_, &all);
        ::posix_spawnattr_setsigmask(&attributes_, &none);
        ::posix_spawnattr_setflags(&attributes_,
                                   POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    }
    SpawnSettings(const SpawnSettings&) = delete;
    SpawnSettings& operator=(const SpawnSettings&) = delete;
    ~SpawnSettings() {
        ::posix_spawn_file_actions_destroy(&actions_);
        ::posix_spawnattr_destroy(&attributes_);
    }
    posix_spawn_file_actions_t* actions() { return &actions_; }
    const posix_spawnattr_t* attributes() const { return &attributes_; }

  private:
    posix_spawn_file_actions_t actions_{};
    posix_spawnattr_t attributes_{};
};

// Pages of this plugin's file that have been read for the last time need not stay in memory.
void let_go(const char* begin, const char* end) {
    const auto page = std::size_t(::sysconf(_SC_PAGESIZE));
    const std::size_t before = (page - reinterpret_cast<std::uintptr_t>(begin) % page) % page;
    const std::size_t after = reinterpret_cast<std::uintptr_t>(end) % page;
    const auto size = std::size_t(end - begin);
    if (before + after < size)
        ::madvise(const_cast<char*>(begin) + before, size - before - after, MADV_DONTNEED);
}

// Out of the way of the numbers that the child will have.
Descriptor move_up(int descriptor) {
    Descriptor moved(::fcntl(descriptor, F_DUPFD_CLOEXEC, first_spare_descriptor));
    if (!moved) throw system_error("duplicating a descriptor");
    return moved;
}

}  // namespace

Packet::Packet(shim::Kind kind) {
    bytes_.assign(reinterpret_cast<const char*>(&kind), sizeof kind);
}

Packet& Packet::add(char letter, std::string_view text) {
    if (text.find('\0') != std::string_view::npos)
        throw Error(Code::invalid, "a text for the container has a zero byte in it");
    bytes_ += letter;
    bytes_.append(text);
    bytes_ += '\0';
    if (bytes_.size() > shim::packet_bytes)
        throw Error(Code::exhausted, "the paths of this container are too long, or there are too many");
    return *this;
}

bool Answer::has(char letter) const {
    for (const std::string& field : fields)
        if (field.front() == letter) return true;
    return false;
}

std::string Answer::get(char letter) const {
    for (const std::string& field : fields)
        if (field.front() == letter) return field.substr(1);
    return {};
}

void send_packet(int connection, const Packet& packet, const std::vector<int>& descriptors) {
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * shim::packet_descriptors)] = {};
    iovec part{const_cast<char*>(packet.bytes().data()), packet.bytes().size()};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    if (!descriptors.empty()) {
        header.msg_control = control;
        header.msg_controllen = CMSG_SPACE(sizeof(int) * descriptors.size());
        cmsghdr* item = CMSG_FIRSTHDR(&header);
        item->cmsg_level = SOL_SOCKET;
        item->cmsg_type = SCM_RIGHTS;
        item->cmsg_len = CMSG_LEN(sizeof(int) * descriptors.size());
        std::memcpy(CMSG_DATA(item), descriptors.data(), sizeof(int) * descriptors.size());
    }
    while (::sendmsg(connection, &header, MSG_NOSIGNAL) < 0) {
        if (errno != EINTR)
            throw Error(Code::unavailable,
                        std::string("the pod's shim does not answer: ") + std::strerror(errno));
    }
}

Answer receive_packet(int connection, int timeout_ms) {
    pollfd waiting{connection, POLLIN, 0};
    int ready = 0;
    do ready = ::poll(&waiting, 1, timeout_ms);
    while (ready < 0 && errno == EINTR);
    if (ready == 0) throw Error(Code::deadline_exceeded, "the pod's shim takes too long");
    std::string bytes(shim::packet_bytes, '\0');
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * shim::packet_descriptors)];
    iovec part{bytes.data(), bytes.size()};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    const ssize_t size = ::recvmsg(connection, &header, MSG_CMSG_CLOEXEC);
    Answer answer;
    for (cmsghdr* item = CMSG_FIRSTHDR(&header); size > 0 && item != nullptr;
         item = CMSG_NXTHDR(&header, item)) {
        if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_RIGHTS) continue;
        for (std::size_t at = 0; at < item->cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
            int descriptor = -1;
            std::memcpy(&descriptor, CMSG_DATA(item) + at, sizeof descriptor);
            answer.descriptors.emplace_back(descriptor);
        }
    }
    if (size < ssize_t(sizeof answer.kind)) throw Error(Code::unavailable, "the pod's shim has ended");
    std::memcpy(&answer.kind, bytes.data(), sizeof answer.kind);
    for (auto at = sizeof answer.kind; at < std::size_t(size);) {
        const std::string field(bytes.c_str() + at);
        if (!field.empty()) answer.fields.push_back(field);
        at += field.size() + 1;
    }
    return answer;
}

Descriptor connect_shim(const std::string& directory) {
    // Through a descriptor: an address of a socket holds a short path only.
    const Descriptor opened(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!opened) throw Error(Code::unavailable, "the sandbox has no directory");
    const std::string path = "/proc/self/fd/" + std::to_string(opened.get()) + "/" + shim::socket_name;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    Descriptor connection(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    if (!connection) throw system_error("making a socket");
    const timeval patience{10, 0};
    ::setsockopt(connection.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (::connect(connection.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        throw Error(Code::unavailable, "the pod's shim is gone; the pod needs a new sandbox");
    return connection;
}

Answer ask_shim(const std::string& directory, const Packet& packet, const std::vector<int>& descriptors,
                int timeout_ms) {
    const Descriptor connection = connect_shim(directory);
    send_packet(connection.get(), packet, descriptors);
    return receive_packet(connection.get(), timeout_ms);
}

ShimProgram::ShimProgram() {
    const Descriptor made(::memfd_create("keelson-pod", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!made) throw system_error("laying out the shim in memory");
    image_ = move_up(made.get());
    const auto size = std::size_t(keelson_oci_shim_end - keelson_oci_shim_begin);
    if (::write(image_.get(), keelson_oci_shim_begin, size) != ssize_t(size))
        throw system_error("laying out the shim in memory");
    if (::fcntl(image_.get(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0)
        throw system_error("sealing the shim");
    let_go(keelson_oci_shim_begin, keelson_oci_shim_end);
}

Descriptor ShimProgram::spawn(const std::string& directory, int lock) const {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        throw system_error("making a socket");
    Descriptor connection(ends[0]);
    const Descriptor low(ends[1]);
    const Descriptor theirs = move_up(ends[1]);
    const Descriptor held = move_up(lock);
    SpawnSettings settings;
    posix_spawn_file_actions_t* actions = settings.actions();
    ::posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDWR, 0);
    ::posix_spawn_file_actions_adddup2(actions, 0, 1);
    ::posix_spawn_file_actions_adddup2(actions, 0, 2);
    ::posix_spawn_file_actions_adddup2(actions, theirs.get(), shim::setup_descriptor);
    ::posix_spawn_file_actions_adddup2(actions, held.get(), shim::lock_descriptor);
    ::posix_spawn_file_actions_addchdir_np(actions, directory.c_str());
    const std::string program = "/proc/self/fd/" + std::to_string(image_.get());
    char name[] = "keelson-pod";
    char* arguments[] = {name, nullptr};
    char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    char* environment[] = {path, nullptr};
    pid_t launcher = 0;
    const int failure =
        ::posix_spawn(&launcher, program.c_str(), actions, settings.attributes(), arguments, environment);
    if (failure != 0) throw system_error("starting a pod's shim", failure);
    // It leaves the shim to the system at once. Where children are reaped by themselves there is nothing to
    // wait for.
    while (::waitpid(launcher, nullptr, 0) < 0 && errno == EINTR) {
    }
    return connection;
}

}  // namespace keelson::oci
