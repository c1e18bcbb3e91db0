// The running daemon: everything between "the configuration is good" and "the process ends".
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "kernel/base/result.h"
#include "kernel/daemon/config.h"

namespace keelson::daemon {

// Used by one thread, which is none of the executor's.
class App {
  public:
    // Binds the port first, then enters the data directory: a port in use or a directory that is not ours
    // fails with Reason::bad_request and nothing changed. Any other failure is one of the machine (disk full,
    // broken file).
    static base::Result<std::unique_ptr<App>> start(const Config& config);
    ~App();  // stops

    [[nodiscard]] std::uint16_t api_port() const;
    [[nodiscard]] std::uint16_t admin_port() const;
    // Takes over what can change while running: log, tokens, audit, names in the server certificate. What
    // needs a restart is logged. On failure everything stays as it was.
    base::Result<void> reload(const Config& config);
    // Drains and stops within 5 seconds.
    void stop();

  private:
    struct Impl;
    explicit App(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

// Tells systemd, when it started us (NOTIFY_SOCKET): "READY=1", "STOPPING=1", "RELOADING=1".
void notify_service_manager(const std::string& state);

}  // namespace keelson::daemon
