// keelsond. Reads what it was told, starts the App, and waits for signals.
#include <pthread.h>
#include <signal.h>

#include <cstdio>

#include "kernel/base/log.h"
#include "kernel/base/memory.h"
#include "kernel/base/time_slice.h"
#include "kernel/daemon/app.h"
#include "kernel/daemon/config.h"
#include "kernel/daemon/node_process.h"

namespace {

using namespace keelson;

// Requests are short: a thread that has one to serve should not wait for the turn of one that computes.
constexpr base::Duration turn = std::chrono::microseconds(200);
constexpr int exit_failure = 1;
constexpr int exit_usage = 2;  // nothing has been changed

int complain(const base::Status& status, int code) {
    std::fprintf(stderr, "keelsond: %s\n", status.message().c_str());
    return code;
}

template <typename Process>
void serve(Process& process, const daemon::CommandLine& line, const sigset_t& signals) {
    for (;;) {
        int signal = 0;
        sigwait(&signals, &signal);
        if (signal != SIGHUP) return;
        daemon::notify_service_manager("RELOADING=1");
        auto config = daemon::load_config(line);
        const auto result = config ? process.reload(*config) : base::Result<void>(config.error());
        if (result) {
            base::log_info("configuration reloaded");
        } else {
            base::log_error("the configuration was not reloaded", {{"error", result.error()}});
        }
        daemon::notify_service_manager("READY=1");
    }
}

int complain_start(const base::Status& status) {
    return complain(status, status.reason() == base::Reason::bad_request ? exit_usage : exit_failure);
}

int run_server(const daemon::Config& config, const daemon::CommandLine& line, const sigset_t& signals) {
    auto app = daemon::App::start(config);
    if (!app) return complain_start(app.error());
    if (auto log = base::configure_log(config.log); !log) return complain(log.error(), exit_usage);
    base::log_info("ready", {{"port", (*app)->api_port()},
                             {"admin_port", (*app)->admin_port()},
                             {"data", config.data_directory}});
    daemon::notify_service_manager("READY=1");
    serve(**app, line, signals);
    daemon::notify_service_manager("STOPPING=1");
    (*app)->stop();
    return 0;
}

int run_node(const daemon::Config& config, const daemon::CommandLine& line, const sigset_t& signals) {
    auto node = daemon::NodeProcess::start(config);
    if (!node) return complain_start(node.error());
    if (auto log = base::configure_log(config.log); !log) return complain(log.error(), exit_usage);
    base::log_info("ready", {{"server", config.join.server}, {"data", config.data_directory}});
    daemon::notify_service_manager("READY=1");
    serve(**node, line, signals);
    daemon::notify_service_manager("STOPPING=1");
    return 0;
}

}  // namespace

int main(int count, char** arguments) {
    // Memory that one thread has freed serves the others: with an arena for each thread a third more is held.
    base::set_up_memory(2);
    const auto line = daemon::parse_command_line(count, arguments);
    if (!line) return complain(line.error(), exit_usage);
    if (!line->early_exit_text.empty()) {
        std::fputs(line->early_exit_text.c_str(), stdout);
        return 0;
    }
    auto config = daemon::load_config(*line);
    if (!config) return complain(config.error(), exit_usage);

    // Signals are taken by this thread alone; every thread started from here on inherits the mask.
    sigset_t signals;
    sigemptyset(&signals);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    ::signal(SIGPIPE, SIG_IGN);

    base::set_time_slice(turn);
    return config->roles.contains("api") ? run_server(*config, *line, signals)
                                         : run_node(*config, *line, signals);
}
