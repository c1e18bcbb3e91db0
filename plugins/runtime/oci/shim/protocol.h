// What the plugin and the shims of its pods say to each other, over sockets of packets (SOCK_SEQPACKET).
//
// A packet is a kind (32 bits) and fields, each a letter, a text and a zero byte; file descriptors come
// beside it. The connection that a shim is born with (descriptor 3) brings `setup` and later carries its
// events; all else are connections to its socket, one request and one reply each. A shim outlives its plugin:
// kinds and letters keep their meaning from version to version.
#ifndef KEELSON_OCI_SHIM_PROTOCOL_H
#define KEELSON_OCI_SHIM_PROTOCOL_H

#include <cstddef>
#include <cstdint>

namespace keelson::oci::shim {

constexpr std::size_t packet_bytes = 60'000;
constexpr unsigned packet_fields = 1'500;
constexpr unsigned packet_descriptors = 8;
constexpr std::size_t identifier_bytes = 88;  // of an id, with its zero byte: a socket's address has 108

// Where a shim mounts what is its own, in its own mount namespace. Other mounts in there come and go with the
// host's, and what is mounted below them would be seen on the host; this one is made private, and nobody
// needs what is below.
constexpr const char* private_mount = "/proc";
constexpr const char* mounts_directory = "/proc/driver";

constexpr int setup_descriptor = 3;
constexpr int lock_descriptor = 4;  // locked as long as the shim lives
constexpr const char* socket_name = "shim.sock";
constexpr const char* status_name = "status";

enum class Kind : std::uint32_t {
    // Replies. A failure has field::message, and field::code when the runtime's program has failed.
    done = 1,
    failed = 2,

    // Make the sandbox. Replied to as `network`.
    setup = 10,
    watch = 11,    // this connection gets the events from now on; no reply
    network = 12,  // -> the network namespace, if it has its own; field::process: the first process, or 0;
                   // field::shim
    socket = 13,   // -> a stream socket of the sandbox's network
    quit = 14,     // the shim ends; containers must have ended before

    // Mount a container's file system -> its root directory.
    prepare = 20,
    start = 21,   // -> field::process
    signal = 22,  // field::number; field::all: to every process of it
    attach = 23,  // descriptors: as field::streams says, then the result
    resize = 24,
    reopen = 25,
    discard = 26,  // forget a container that does not run
    execute = 27,  // descriptors: as field::streams says, then the result
    run = 28,      // the runtime's program, for update; descriptors: its output

    // Event: the container's status file has changed.
    changed = 40,
};

namespace field {
constexpr char container = 'I';
constexpr char execution = 'X';
constexpr char directory = 'D';  // of the container's state
constexpr char message = 'E';
constexpr char code = 'c';
constexpr char number = 'n';  // a signal
constexpr char all = 'a';
constexpr char process = 'p';   // a process id
constexpr char argument = 'A';  // of the runtime's program, in order
constexpr char lower = 'l';     // a layer, the highest first
constexpr char upper = 'u';
constexpr char work = 'w';
constexpr char log = 'L';        // the log file
constexpr char log_bytes = 'b';  // the log is renamed to <log>.1 when it has grown that large
constexpr char terminal = 't';
constexpr char input = 'i';       // standard input stays open
constexpr char input_once = 'o';  // and ends with the first client that gives some
constexpr char cgroup = 'g';      // a directory of the container, the one to find processes in first
constexpr char oom = 'O';         // the file that counts kills for lack of memory
constexpr char streams = 's';     // "ioe": which of the three descriptors came
constexpr char pid_file = 'f';
constexpr char timeout_ms = 'T';
constexpr char columns = 'x';
constexpr char rows = 'y';

constexpr char shim = 'S';  // the shim's own process id

// Of setup.
constexpr char namespaces = 'N';  // of "n"etwork, "i"pc, "u"ts, "p"id
constexpr char hostname = 'H';
constexpr char sysctl = 'Y';         // "/proc/sys/...=value"
constexpr char join = 'C';           // a cgroup directory to join
constexpr char shared_memory = 'm';  // its size in bytes
}  // namespace field

}  // namespace keelson::oci::shim

#endif
