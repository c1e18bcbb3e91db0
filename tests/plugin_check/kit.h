// Runs keelson-plugin-check as its users do.
#pragma once

#include <set>
#include <string>
#include <vector>

namespace keelson::check {

struct KitRun {
    int exit_code = -1;
    std::string output;  // standard output
    std::string errors;  // standard error
};

[[nodiscard]] KitRun run_kit(const std::vector<std::string>& arguments);

// The path of a plugin of tests/broken_plugins.
[[nodiscard]] std::string plugin_path(const std::string& name);

// The ids of the cases with that result in the output of -o json; throws when it is no such document.
[[nodiscard]] std::set<std::string> cases_with(const std::string& output, const std::string& result);
// The reason of one case.
[[nodiscard]] std::string reason_of(const std::string& output, const std::string& id);

}  // namespace keelson::check
