// The functions that make the commands known, one for each file of them.
#pragma once

namespace keelson::cli::kube {

class Registry;

void add_get_command(Registry& registry);
void add_create_commands(Registry& registry);
void add_apply_command(Registry& registry);
void add_last_applied_commands(Registry& registry);
void add_delete_command(Registry& registry);
void add_patch_commands(Registry& registry);
void add_edit_command(Registry& registry);
void add_wait_command(Registry& registry);
void add_diff_command(Registry& registry);
void add_api_commands(Registry& registry);
void add_kustomize_command(Registry& registry);
void add_certificate_commands(Registry& registry);
void add_auth_commands(Registry& registry);
void add_auth_reconcile_command(Registry& registry);
void add_cluster_dump_command(Registry& registry);
void add_cluster_commands(Registry& registry);
void add_events_command(Registry& registry);
void add_config_view_commands(Registry& registry);
void add_config_change_commands(Registry& registry);
void add_explain_command(Registry& registry);
void add_completion_commands(Registry& registry);
void add_history_commands(Registry& registry);
void add_join_and_status_commands(Registry& registry);

}  // namespace keelson::cli::kube
