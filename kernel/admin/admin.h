// The admin API: plugins, store, health and metrics of this process, over HTTPS on a port of its own and over
// a Unix socket. The routes are in docs/admin-api.md and, for programs, in GET /v1/openapi.json.
//
// Requests are served by threads of this room, one a connection, at most AdminLimits::connections of them:
// neither the Kubernetes API nor a reconcile ever waits for somebody who asks here, or the other way round.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernel/access/authentication.h"
#include "kernel/base/executor.h"
#include "kernel/base/log.h"
#include "kernel/base/metrics.h"
#include "kernel/base/result.h"
#include "kernel/base/task.h"
#include "kernel/plugin/plugin_host.h"
#include "kernel/store/store.h"

namespace keelson::admin {

// Texts in PEM.
struct TlsMaterial {
    std::string certificate_chain;  // the server's certificate first
    std::string private_key;
    std::string client_ca;  // certificates that may sign client certificates; empty: none are accepted
};

struct HealthItem {
    std::string name;
    bool passed = true;
    std::string failure;
};

struct Caller {
    std::string name;  // for the log
    bool is_admin = false;
};

struct AdminLimits {
    int connections = 32;  // served at once, over the port; the Unix socket has a quarter of it besides
    int waiting = 64;      // accepted, not served yet; more are closed at once
    int traces = 8;        // streams of plugin calls at once
    std::size_t header_bytes = 32u << 10;
    std::size_t json_bytes = 1u << 20;
    std::uint64_t snapshot_bytes = 16ull << 30;             // uploaded to be restored
    std::uint64_t library_bytes = 256ull << 20;             // uploaded into the upload directory
    std::chrono::milliseconds head_timeout{10'000};         // handshake, or the head of a request, as a whole
    std::chrono::milliseconds body_timeout{30'000};         // a JSON body, as a whole
    std::chrono::milliseconds silence_timeout{30'000};      // between two pieces, in either direction
    std::chrono::milliseconds transfer_timeout{3'600'000};  // an upload or a download, as a whole
    std::chrono::milliseconds idle_timeout{15'000};         // between two requests
};

// References live until the server has been destroyed and the executor has been stopped after it: what a
// request has begun may still run when nobody waits for the answer any more.
struct AdminParts {
    plugin::PluginHost& plugins;
    store::Store& store;
    base::Metrics& metrics;
    base::Executor& executor;

    // All callbacks are called from several threads at once and come back soon.
    //
    // Who shows this? A failure is answered with 401 and its message. Not asked when nothing is shown. The
    // task must not refer to the callback itself, which may be gone before it ends.
    std::function<base::Task<base::Result<Caller>>(access::Credentials)> authenticate;
    std::function<std::vector<HealthItem>()> health;
    std::function<std::string()> config;  // a JSON document, secrets hidden
    std::function<base::LogLevel()> log_level;
    std::function<void(base::LogLevel)> set_log_level;

    TlsMaterial tls;
    std::string address = "127.0.0.1";
    std::uint16_t port = 0;  // 0: any free one
    // In a directory that is made with mode 0700, or has it already; empty: no Unix socket. Its callers are
    // admins when they are root or this process's own user.
    std::string socket_path;
    std::string data_directory;    // uploads and downloads pass through admin/ in it
    std::string upload_directory;  // where PUT /v1/uploads/ writes to; empty: it refuses
    AdminLimits limits;
};

// Thread-safe, but for stop() and the destructor.
class AdminServer {
  public:
    // A port or socket in use, a directory that others may enter, or material that does not fit together fail
    // with what to do about it.
    [[nodiscard]] static base::Result<std::unique_ptr<AdminServer>> start(AdminParts parts);
    ~AdminServer();  // stops

    [[nodiscard]] std::uint16_t port() const;
    // For connections from now on. On failure the old material stays.
    [[nodiscard]] base::Result<void> replace_tls(const TlsMaterial& material);
    // Takes no more requests, lets those under way end, cuts off what is left; within 5 seconds. Afterwards
    // no thread of this room runs. Calling it again does nothing.
    void stop();

  private:
    struct Impl;
    explicit AdminServer(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace keelson::admin
