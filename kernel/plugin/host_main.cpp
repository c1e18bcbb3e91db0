// keelson-plugin-host: the process around one isolated plugin. keelsond starts it; it stays when keelsond
// goes.
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>

#include "kernel/base/memory.h"
#include "kernel/base/time_slice.h"
#include "kernel/plugin/confinement.h"
#include "kernel/plugin/host_server.h"

int main(int count, char** arguments) {
    // Calls come and go on many threads; their memory is the same.
    keelson::base::set_up_memory(1);
    keelson::plugin::HostServerSettings settings;
    keelson::plugin::Confinement confinement;
    bool unconfined = false;
    bool dies_with_parent = false;
    CLI::App app("The process around one isolated Keelson plugin. Started by keelsond, not by hand.",
                 "keelson-plugin-host");
    app.add_option("--listener", settings.listener, "descriptor of the listening socket")->required();
    app.add_option("--name", settings.name, "the plugin's name")->required();
    app.add_option("--library", settings.library, "the shared object")->required();
    app.add_option("--id", settings.id, "the id of its manifest")->required();
    app.add_option("--plugin-version", settings.version, "the version of its manifest")->required();
    app.add_option("--sha256", settings.sha256, "of the library");
    app.add_option("--state-directory", settings.state_directory, "the plugin's own directory");
    app.add_option("--node-name", settings.node_name, "of this machine, in the API");
    app.add_option("--concurrent-calls", settings.concurrent_calls);
    app.add_option("--orphan-grace-seconds", settings.orphan_grace_seconds,
                   "0: stay for ever without a kernel");
    app.add_option("--cgroup", confinement.cgroups, "directory of a cgroup to join");
    app.add_option("--keep-capability", confinement.capabilities, "SYS_ADMIN, ...");
    app.add_flag("--no-seccomp", unconfined);
    app.add_flag("--objects", settings.offers_objects, "the kernel offers keelson.host.objects");
    app.add_flag("--check-documents", settings.checks_documents, "check requests and replies");
    app.add_flag("--die-with-parent", dies_with_parent, "end when whoever started it ends");
    CLI11_PARSE(app, count, arguments);
    confinement.seccomp = !unconfined;
    // The kernel's end of the log may be gone at any time.
    std::signal(SIGPIPE, SIG_IGN);
    ::umask(077);
    ::fcntl(settings.listener, F_SETFD, FD_CLOEXEC);
    if (dies_with_parent) ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    // Short turns are the kernel's: a plugin in a loop must not come before it again and again.
    keelson::base::set_time_slice(keelson::base::Duration::zero());
    // Whoever asks for the plugin is told; nothing of it is loaded.
    if (const auto confined = keelson::plugin::confine(confinement); !confined)
        settings.failure = "its process cannot be confined: " + confined.error().message();
    return keelson::plugin::serve_plugin(std::move(settings));
}
