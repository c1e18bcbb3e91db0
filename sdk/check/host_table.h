// The host that the kit is to a plugin: takes what it is told, checks its form, has no services.
#pragma once

#include <string>
#include <vector>

#include "keelson/host.h"

namespace keelson::check {

// `state_directory` must outlive the process's plugins. The table lives as long as the process.
[[nodiscard]] const keelson_host* full_host_table(const char* state_directory);

// What plugins have told the host in a form that host.h does not allow.
[[nodiscard]] std::vector<std::string> host_complaints();

}  // namespace keelson::check
