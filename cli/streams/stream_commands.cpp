#include "cli/streams/stream_commands.h"

#include "cli/workloads/command_groups.h"

namespace keelson::cli::kube {

void add_stream_commands(Registry& registry) {
    add_exec_commands(registry);
    add_debug_command(registry);
    add_logs_command(registry);
    add_copy_command(registry);
    add_port_forward_command(registry);
    add_proxy_command(registry);
    add_top_commands(registry);
}

}  // namespace keelson::cli::kube
