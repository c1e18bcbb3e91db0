// The functions that make the commands known, one for each file of them.
#pragma once

namespace keelson::cli::kube {

class Registry;

void add_get_command(Registry& registry);

}  // namespace keelson::cli::kube
