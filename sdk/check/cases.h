// The list of cases.
#pragma once

#include <string_view>
#include <vector>

#include "session.h"

namespace keelson::check {

struct Case {
    // "lifecycle.repeated": group and name.
    std::string_view id;
    std::string_view description;
    // Skipped when one of these has not passed: it would only fail the same way. Ids, or "group.*".
    std::vector<std::string_view> needs;
    void (*body)(Session&);
    // Works on the loaded file itself, so it is left out behind --isolated.
    bool is_local = true;
};

// In the order that they run; a case comes after those that it needs.
[[nodiscard]] const std::vector<Case>& all_cases();

[[nodiscard]] std::vector<Case> library_cases();
[[nodiscard]] std::vector<Case> lifecycle_cases();
[[nodiscard]] std::vector<Case> configuration_cases();
[[nodiscard]] std::vector<Case> capability_cases();
[[nodiscard]] std::vector<Case> method_cases();
[[nodiscard]] std::vector<Case> request_cases();
[[nodiscard]] std::vector<Case> conduct_cases();
[[nodiscard]] std::vector<Case> undo_cases();
[[nodiscard]] std::vector<Case> auth_cases();
[[nodiscard]] std::vector<Case> handover_cases();

}  // namespace keelson::check
