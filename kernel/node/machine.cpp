#include "kernel/node/machine.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <string_view>

#include "kernel/base/files.h"

namespace keelson::node {
namespace {

constexpr std::int64_t kKibibyte = 1024;
constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;

std::string first_line(const std::string& path) {
    const auto text = base::read_file(path, 64 << 10);
    return text ? text->substr(0, text->find('\n')) : std::string();
}

std::int64_t number_at(std::string_view text) {
    text.remove_prefix(std::min(text.find_first_of("0123456789"), text.size()));
    std::int64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

// "MemTotal:       24683156 kB"
std::int64_t memory_line_bytes(std::string_view text, std::string_view name) {
    const auto at = text.find(name);
    return at == std::string_view::npos ? 0 : number_at(text.substr(at + name.size())) * kKibibyte;
}

std::string os_name() {
    const std::string text = base::read_file("/etc/os-release", 64 << 10).value_or("");
    constexpr std::string_view kName = "PRETTY_NAME=";
    const auto at = text.find(kName);
    if (at == std::string::npos) return "Linux";
    std::string line = text.substr(at + kName.size());
    line.resize(std::min(line.find('\n'), line.size()));
    std::erase(line, '"');
    return line;
}

std::string architecture_of(std::string_view machine) {
    if (machine == "x86_64") return "amd64";
    return machine == "aarch64" ? "arm64" : std::string(machine);
}

// The address from which packets to the outside leave: connecting a datagram socket sends nothing.
std::string outgoing_address(int family) {
    const base::FileDescriptor socket(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!socket) return {};
    sockaddr_storage target{};
    socklen_t size = 0;
    if (family == AF_INET) {
        auto* address = reinterpret_cast<sockaddr_in*>(&target);
        *address = {};
        address->sin_family = AF_INET;
        address->sin_port = htons(53);
        ::inet_pton(AF_INET, "192.0.2.1", &address->sin_addr);
        size = sizeof *address;
    } else {
        auto* address = reinterpret_cast<sockaddr_in6*>(&target);
        *address = {};
        address->sin6_family = AF_INET6;
        address->sin6_port = htons(53);
        ::inet_pton(AF_INET6, "2001:db8::1", &address->sin6_addr);
        size = sizeof *address;
    }
    if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&target), size) != 0) return {};
    size = sizeof target;
    if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&target), &size) != 0) return {};
    std::array<char, INET6_ADDRSTRLEN> text{};
    const void* bytes = family == AF_INET
                            ? static_cast<const void*>(&reinterpret_cast<sockaddr_in*>(&target)->sin_addr)
                            : static_cast<const void*>(&reinterpret_cast<sockaddr_in6*>(&target)->sin6_addr);
    return ::inet_ntop(family, bytes, text.data(), text.size()) != nullptr ? text.data() : std::string();
}

// Of a machine without a default route: the first address that is not the loopback's, else that.
std::string any_address() {
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0) return "127.0.0.1";
    std::string found;
    for (const ifaddrs* entry = list; entry != nullptr && found.empty(); entry = entry->ifa_next) {
        if (entry->ifa_addr == nullptr || entry->ifa_addr->sa_family != AF_INET ||
            (entry->ifa_flags & IFF_LOOPBACK) != 0)
            continue;
        std::array<char, INET_ADDRSTRLEN> text{};
        const auto* address = reinterpret_cast<const sockaddr_in*>(entry->ifa_addr);
        if (::inet_ntop(AF_INET, &address->sin_addr, text.data(), text.size()) != nullptr)
            found = text.data();
    }
    ::freeifaddrs(list);
    return found.empty() ? "127.0.0.1" : found;
}

}  // namespace

std::string kibibytes(std::int64_t bytes) {
    return std::to_string(bytes / 1024) + "Ki";
}

MachineFacts read_machine_facts() {
    MachineFacts facts;
    facts.machine_id = first_line("/etc/machine-id");
    facts.system_uuid = first_line("/sys/class/dmi/id/product_uuid");
    if (facts.system_uuid.empty()) facts.system_uuid = facts.machine_id;
    facts.boot_id = first_line("/proc/sys/kernel/random/boot_id");
    utsname name{};
    if (::uname(&name) == 0) {
        facts.kernel_version = name.release;
        facts.architecture = architecture_of(name.machine);
        facts.host_name = name.nodename;
    }
    facts.os_image = os_name();
    facts.processors = static_cast<int>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
    const std::string memory = base::read_file("/proc/meminfo", 64 << 10).value_or("");
    facts.memory_bytes = memory_line_bytes(memory, "MemTotal:");
    facts.swap_bytes = memory_line_bytes(memory, "SwapTotal:");
    facts.process_limit = number_at(first_line("/proc/sys/kernel/pid_max"));
    for (const int family : {AF_INET, AF_INET6})
        if (std::string address = outgoing_address(family); !address.empty())
            facts.addresses.push_back(std::move(address));
    if (facts.addresses.empty()) facts.addresses.push_back(any_address());
    return facts;
}

MachineState read_machine_state(const std::string& directory) {
    MachineState state;
    state.available_memory_bytes =
        memory_line_bytes(base::read_file("/proc/meminfo", 64 << 10).value_or(""), "MemAvailable:");
    struct statvfs disk {};
    if (::statvfs(directory.c_str(), &disk) == 0) {
        const auto block = static_cast<std::int64_t>(disk.f_frsize);
        state.disk_bytes = static_cast<std::int64_t>(disk.f_blocks) * block;
        state.available_disk_bytes = static_cast<std::int64_t>(disk.f_bavail) * block;
        state.inodes = static_cast<std::int64_t>(disk.f_files);
        state.available_inodes = static_cast<std::int64_t>(disk.f_favail);
    }
    struct sysinfo info {};
    if (::sysinfo(&info) == 0) state.processes = info.procs;
    // "cpu  user nice system idle iowait irq softirq steal"
    const std::string line = first_line("/proc/stat");
    std::int64_t ticks = 0;
    std::string_view rest = line;
    for (int field = 0; field < 8 && !rest.empty(); ++field) {
        rest.remove_prefix(std::min(rest.find_first_of("0123456789"), rest.size()));
        if (field != 3 && field != 4) ticks += number_at(rest);
        rest.remove_prefix(std::min(rest.find(' '), rest.size()));
    }
    state.cpu_ns = ticks * (kNanosecondsPerSecond / std::max(1L, ::sysconf(_SC_CLK_TCK)));
    return state;
}

}  // namespace keelson::node
