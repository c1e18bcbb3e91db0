// What a plugin says about itself before any of its code runs: <name>.yaml beside the library. The format is
// sdk/schema/manifest.json.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/result.h"

namespace keelson::plugin {

enum class Isolation : std::uint8_t { process, in_process };
[[nodiscard]] std::string_view isolation_text(Isolation isolation);

// Zero: no bound, or (memory, cpu, processes) what the system gives.
struct Limits {
    std::uint32_t concurrent_calls = 16;
    std::uint32_t call_timeout_ms = 60'000;
    std::uint64_t memory_bytes = 0;  // of an isolated plugin
    std::uint32_t cpu_millis = 0;    // of an isolated plugin; 1000: one core
    std::uint32_t processes = 64;    // of an isolated plugin: processes and threads
    bool operator==(const Limits&) const = default;
};

// What an isolated plugin keeps of root's rights. All others are dropped before its code is loaded.
struct Privileges {
    std::vector<std::string> capabilities;  // "SYS_ADMIN"
    bool seccomp = true;                    // the filter against system calls that no plugin needs
    bool operator==(const Privileges&) const = default;
};

// Objects of the API that the plugin wants to read.
struct ObjectAccess {
    std::string api_version;
    std::string resource;
    std::vector<std::string> verbs;
    bool operator==(const ObjectAccess&) const = default;
};

struct Manifest {
    std::string id;    // "com.example.mydisk"
    std::string name;  // [a-z0-9-]+; how the operator and the API call it
    std::string kind;  // volume, network, runtime, ingress or auth
    std::string version;
    std::string library;  // a file name; beside the manifest
    std::string description;
    std::string sha256;  // of the library, in hexadecimal; empty: not said
    std::uint32_t abi_minimum = 1;
    std::uint32_t abi_maximum = 1;
    std::vector<std::string> capabilities;
    std::vector<std::string> requires_plugins;  // ids that must be ready before
    std::string config_schema;                  // a JSON Schema document; empty: takes no configuration
    Limits limits;
    Privileges privileges;
    std::vector<ObjectAccess> objects;
    // How long an isolated plugin stays when no kernel is there; 0: for ever.
    std::uint32_t orphan_grace_seconds = 600;
};

// A failure names the line: "line 4: unknown key 'versoin' (known here: ...)".
[[nodiscard]] base::Result<Manifest> parse_manifest(const std::string& yaml);

}  // namespace keelson::plugin
