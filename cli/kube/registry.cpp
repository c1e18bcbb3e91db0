#include "cli/kube/command.h"
#include "cli/kube/command_groups.h"

namespace keelson::cli::kube {

const Registry& registry() {
    static const Registry all = [] {
        Registry registry;
        add_get_command(registry);
        add_create_commands(registry);
        add_apply_command(registry);
        add_delete_command(registry);
        add_patch_commands(registry);
        add_edit_command(registry);
        add_wait_command(registry);
        add_diff_command(registry);
        return registry;
    }();
    return all;
}

}  // namespace keelson::cli::kube
