#include "cli/kube/command.h"
#include "cli/kube/command_groups.h"

namespace keelson::cli::kube {

const Registry& registry() {
    static const Registry all = [] {
        Registry registry;
        add_get_command(registry);
        return registry;
    }();
    return all;
}

}  // namespace keelson::cli::kube
