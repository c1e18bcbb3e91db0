#include "cli/kube/command.h"
#include "cli/workloads/command_groups.h"

namespace keelson::cli::kube {

void add_workload_commands(Registry& registry) {
    add_create_workloads(registry);
    add_create_config(registry);
    add_create_services(registry);
    add_create_access(registry);
    add_run_command(registry);
    add_expose_command(registry);
    add_set_commands(registry);
    add_rollout_commands(registry);
    add_scale_command(registry);
    add_autoscale_command(registry);
    add_cordon_commands(registry);
    add_drain_command(registry);
    add_describe_command(registry);
    add_stream_commands(registry);
}

}  // namespace keelson::cli::kube
