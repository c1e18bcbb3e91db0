// What the plugin knows of sandboxes and containers, and keeps in its state directory:
//
//   sandboxes/<id>/sandbox.json, shim.lock, shim.sock, hostname
//   containers/<id>/container.json, config.json (what the runtime's program reads), status (what the shim
//   writes) program/<id>   the state of the runtime's program mnt            where shims mount, each in its
//   own mount namespace
//
// and, below the root directory, containers/<id>/upper and work. A record is written before the first thing
// that it describes is made, and removed after the last one.
#ifndef KEELSON_OCI_RECORDS_H
#define KEELSON_OCI_RECORDS_H

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "keelson/runtime.hpp"

namespace keelson::oci {

struct SandboxRecord {
    runtime::RunSandbox request;
    std::string created_at;
    bool is_stopped = false;
    KEELSON_FIELDS(field.required("request", self.request)
                       .required("createdAt", self.created_at)
                       .optional("stopped", self.is_stopped))
};

struct ContainerRecord {
    std::string container_id;
    std::string sandbox_id;
    std::string name;
    std::int32_t attempt = 0;
    std::string image_id;
    std::string created_at;
    std::string log_path;  // absolute
    std::string stop_signal;
    std::string cgroup;
    std::vector<std::string> layers;  // the lowest first
    bool terminal = false;
    bool standard_input = false;
    bool standard_input_once = false;
    // Its end, where the shim could not tell it.
    std::optional<std::int32_t> exit_code;
    std::string reason;
    std::string message;
    std::string finished_at;
    KEELSON_FIELDS(field.required("containerId", self.container_id)
                       .required("sandboxId", self.sandbox_id)
                       .required("name", self.name)
                       .required("attempt", self.attempt)
                       .required("imageId", self.image_id)
                       .required("createdAt", self.created_at)
                       .required("logPath", self.log_path)
                       .optional("stopSignal", self.stop_signal)
                       .required("cgroup", self.cgroup)
                       .required("layers", self.layers)
                       .optional("terminal", self.terminal)
                       .optional("stdin", self.standard_input)
                       .optional("stdinOnce", self.standard_input_once)
                       .optional("exitCode", self.exit_code)
                       .optional("reason", self.reason)
                       .optional("message", self.message)
                       .optional("finishedAt", self.finished_at))
};

// As the shim has written it.
struct Status {
    std::string state;  // "running", "ended", "failed"; empty: nothing is written yet
    std::int64_t process = 0;
    std::int64_t started_ns = 0;
    std::int64_t finished_ns = 0;
    std::int32_t code = 0;
    bool out_of_memory = false;
};

[[nodiscard]] Status read_status(const std::string& container_directory);

// "2026-01-02T03:04:05.000000000Z"
[[nodiscard]] std::string time_text(std::int64_t unix_ns);

}  // namespace keelson::oci

#endif
