// The inside of keelson-plugin-host: one plugin, one kernel at a time that talks to it over a Unix socket.
#pragma once

#include <cstdint>
#include <string>

namespace keelson::plugin {

struct HostServerSettings {
    int listener = -1;  // a listening Unix stream socket
    std::string name;
    std::string library;
    std::string id;
    std::string version;
    std::string sha256;
    std::string state_directory;
    std::string node_name;
    std::uint32_t concurrent_calls = 16;
    std::uint32_t orphan_grace_seconds = 600;  // 0: for ever
    bool offers_objects = false;               // keelson.host.objects, through the kernel
    bool checks_documents = false;             // requests and replies against the schemas
    std::string failure;                       // why the plugin is not even loaded; empty: it is
};

// Serves until it is told to leave, or nobody has come for too long. The exit code.
int serve_plugin(HostServerSettings settings);

}  // namespace keelson::plugin
