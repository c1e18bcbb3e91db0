// The functions that make the commands about workloads and their pods known.
#pragma once

namespace keelson::cli::kube {

class Registry;

void add_autoscale_command(Registry& registry);
void add_create_access(Registry& registry);
void add_create_config(Registry& registry);
void add_create_services(Registry& registry);
void add_create_workloads(Registry& registry);
void add_describe_command(Registry& registry);
void add_drain_command(Registry& registry);
void add_expose_command(Registry& registry);
void add_cordon_commands(Registry& registry);
void add_rollout_commands(Registry& registry);
void add_run_command(Registry& registry);
void add_scale_command(Registry& registry);
void add_set_commands(Registry& registry);
void add_set_env_command(Registry& registry);
void add_stream_commands(Registry& registry);

// All of them.
void add_workload_commands(Registry& registry);

}  // namespace keelson::cli::kube
