// What the commands that talk to running pods share.
#pragma once

#include <string>

#include "cli/kube/session.h"
#include "cli/streams/remote_command.h"

namespace keelson::cli::kube {

class Registry;

struct Talk {
    bool has_input = false;
    bool has_terminal = false;
    bool is_quiet = false;
};

// The standard streams of this process are those of the command; its exit code is a failure with that code.
Result<void> talk(Api& api, const streams::CommandTarget& target, Talk how);
// To the process of a container of the pod; an empty name takes the default one.
Result<void> attach_to(Session& session, const Object& pod, const std::string& container, Talk how);

void add_debug_command(Registry& registry);
void add_exec_commands(Registry& registry);
void add_logs_command(Registry& registry);
void add_copy_command(Registry& registry);
void add_port_forward_command(Registry& registry);
void add_proxy_command(Registry& registry);
void add_top_commands(Registry& registry);

}  // namespace keelson::cli::kube
