// One case's process.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <string>

namespace keelson::check {

struct ChildEnd {
    bool has_timed_out = false;
    int wait_status = 0;
    std::string output;
};

// Runs the body in a child process with its own process group, standard output and error; kills what is left
// of the group afterwards. The body should not return but end the process; throws std::system_error when
// there can be no child.
[[nodiscard]] ChildEnd run_in_child(const std::function<void()>& body, std::chrono::milliseconds timeout);

// The exit code of a case that has put its outcome on the board.
inline constexpr int finished_exit_code = 113;

// "SIGSEGV", "exit(3)": how a process ended.
[[nodiscard]] std::string describe_end(int wait_status);

}  // namespace keelson::check
