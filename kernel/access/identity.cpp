#include "kernel/access/identity.h"

namespace keelson::access {
namespace {

Identity make(std::string_view user, std::vector<std::string> groups) {
    return {.user = std::string(user), .uid = {}, .groups = std::move(groups), .extra = {}};
}

}  // namespace

Identity api_server_identity() {
    return make(api_server_user, {std::string(masters_group), std::string(authenticated_group)});
}
Identity controller_manager_identity() {
    return make(controller_manager_user, {std::string(authenticated_group)});
}
Identity scheduler_identity() {
    return make(scheduler_user, {std::string(authenticated_group)});
}
Identity node_identity(std::string_view node_name) {
    return make(std::string(node_user_prefix) + std::string(node_name),
                {std::string(nodes_group), std::string(authenticated_group)});
}
Identity anonymous_identity() {
    return make(anonymous_user, {std::string(unauthenticated_group)});
}

}  // namespace keelson::access
