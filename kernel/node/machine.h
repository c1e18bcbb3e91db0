// What the machine under a node has and how it stands, read from the kernel.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace keelson::node {

struct MachineFacts {
    std::string machine_id;
    std::string system_uuid;
    std::string boot_id;
    std::string kernel_version;
    std::string os_image;
    std::string architecture;  // "amd64"
    std::string host_name;
    int processors = 1;
    std::int64_t memory_bytes = 0;
    std::int64_t swap_bytes = 0;
    std::int64_t process_limit = 0;
    std::vector<std::string> addresses;  // of the default route, IPv4 before IPv6; else of any interface
};

struct MachineState {
    std::int64_t available_memory_bytes = 0;
    std::int64_t disk_bytes = 0;
    std::int64_t available_disk_bytes = 0;
    std::int64_t inodes = 0;
    std::int64_t available_inodes = 0;
    std::int64_t processes = 0;
    std::int64_t cpu_ns = 0;  // used by all since the start
};

// As amounts of memory and disks are written: "51200Ki".
[[nodiscard]] std::string kibibytes(std::int64_t bytes);

// Both block shortly.
[[nodiscard]] MachineFacts read_machine_facts();
[[nodiscard]] MachineState read_machine_state(const std::string& directory);

}  // namespace keelson::node
