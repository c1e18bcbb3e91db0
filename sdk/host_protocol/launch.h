// Starting keelson-plugin-host and getting into conversation with it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "keelson/call.hpp"
#include "sdk/host_protocol/frames.h"
#include "sdk/host_protocol/hello.h"
#include "sdk/host_protocol/outcome.h"

namespace keelson::host_protocol {

// The command line of keelson-plugin-host.
struct HostCommand {
    std::string program;
    std::string name;
    std::string library;
    std::string id;
    std::string version;
    std::string sha256;
    std::string state_directory;
    std::string node_name;
    std::uint32_t concurrent_calls = 16;
    std::uint32_t orphan_grace_seconds = 600;  // 0: for ever
    std::vector<std::string> cgroups;          // directories to join
    std::vector<std::string> capabilities;     // "SYS_ADMIN": kept, all others are dropped
    bool seccomp = true;
    bool offers_objects = false;    // keelson.host.objects is there
    bool checks_documents = false;  // requests and replies against the schemas
    bool dies_with_parent = false;  // with the thread that has started it
};

// A socket `name` in `directory`; the directory's path may be of any length.
[[nodiscard]] Result<Descriptor> listen_at(const std::string& directory, const std::string& name);
[[nodiscard]] Result<Descriptor> connect_to(const std::string& directory, const std::string& name);

// Starts it in a session of its own, with an environment of its own.
[[nodiscard]] Result<pid_t> spawn_host(const HostCommand& command, int listener);

// The first frame. Blocks up to 15 seconds.
[[nodiscard]] Result<Hello> receive_hello(FrameSocket& socket);

}  // namespace keelson::host_protocol
