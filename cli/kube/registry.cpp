#include "cli/kube/command.h"
#include "cli/kube/command_groups.h"
#include "cli/workloads/command_groups.h"

namespace keelson::cli::kube {

const Registry& registry() {
    static const Registry all = [] {
        Registry registry;
        add_get_command(registry);
        add_create_commands(registry);
        add_apply_command(registry);
        add_last_applied_commands(registry);
        add_delete_command(registry);
        add_patch_commands(registry);
        add_edit_command(registry);
        add_wait_command(registry);
        add_diff_command(registry);
        add_api_commands(registry);
        add_kustomize_command(registry);
        add_auth_commands(registry);
        add_auth_reconcile_command(registry);
        add_certificate_commands(registry);
        add_cluster_commands(registry);
        add_cluster_dump_command(registry);
        add_events_command(registry);
        add_config_view_commands(registry);
        add_config_change_commands(registry);
        add_workload_commands(registry);
        add_explain_command(registry);
        add_completion_commands(registry);
        add_history_commands(registry);
        add_join_and_status_commands(registry);
        return registry;
    }();
    return all;
}

}  // namespace keelson::cli::kube
