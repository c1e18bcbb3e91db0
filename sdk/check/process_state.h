// What a plugin shares with everything else in its process.
#pragma once

#include <signal.h>

#include <array>
#include <cstddef>
#include <string>
#include <vector>

namespace keelson::check {

[[nodiscard]] std::size_t open_descriptors();
[[nodiscard]] std::size_t running_threads();
[[nodiscard]] std::size_t child_processes();
[[nodiscard]] std::size_t resident_bytes();
// Waits a second at most for threads that are about to end; answers how many run then.
[[nodiscard]] std::size_t threads_settled_at(std::size_t expected);

// One descriptor and what it is open on: tells whether it is still the same.
[[nodiscard]] std::string identity_of(int descriptor);

[[nodiscard]] std::vector<std::string> changed_signals(const std::array<struct sigaction, NSIG>& before);
[[nodiscard]] std::array<struct sigaction, NSIG> signal_actions();
[[nodiscard]] std::string working_directory();
[[nodiscard]] unsigned file_mode_mask();
[[nodiscard]] std::string locale_name();
[[nodiscard]] std::vector<std::string> environment();

}  // namespace keelson::check
