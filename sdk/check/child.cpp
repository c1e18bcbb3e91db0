#include "child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>

// This header of glibc 2.36 does not say itself that its functions are C.
extern "C" {
#include <sys/pidfd.h>
}

namespace keelson::check {
namespace {

void prepare_child(int output) {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    ::dup2(nothing, STDIN_FILENO);
    ::close(nothing);
    // Apart, so that a case can look at standard output alone.
    ::dup2(output, STDERR_FILENO);
    const int standard_output = ::memfd_create("keelson-check-stdout", MFD_CLOEXEC);
    ::dup2(standard_output, STDOUT_FILENO);
    ::close(standard_output);
    ::close(output);
}

// Whether the process ended in time.
bool wait_for(pid_t process, std::chrono::milliseconds timeout) {
    const int descriptor = ::pidfd_open(process, 0);
    if (descriptor < 0) throw std::system_error(errno, std::generic_category(), "pidfd_open");
    const auto until = std::chrono::steady_clock::now() + timeout;
    int ready = 0;
    do {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
        pollfd waited{descriptor, POLLIN, 0};
        ready = ::poll(&waited, 1, static_cast<int>(std::max<long>(0, left.count())));
    } while (ready < 0 && errno == EINTR);
    ::close(descriptor);
    return ready > 0;
}

std::string read_output(int descriptor) {
    char buffer[2048];
    const ssize_t size = ::pread(descriptor, buffer, sizeof buffer, 0);
    return size > 0 ? std::string(buffer, static_cast<std::size_t>(size)) : std::string();
}

}  // namespace

ChildEnd run_in_child(const std::function<void()>& body, std::chrono::milliseconds timeout) {
    std::fflush(nullptr);
    const int output = ::memfd_create("keelson-check-stderr", MFD_CLOEXEC);
    if (output < 0) throw std::system_error(errno, std::generic_category(), "memfd_create");
    const pid_t process = ::fork();
    if (process < 0) throw std::system_error(errno, std::generic_category(), "fork");
    if (process == 0) {
        prepare_child(output);
        body();
        ::_exit(finished_exit_code);
    }
    ::setpgid(process, process);
    ChildEnd end;
    end.has_timed_out = !wait_for(process, timeout);
    // The leader is not reaped yet, so the group's number still is its own.
    ::kill(-process, SIGKILL);
    while (::waitpid(process, &end.wait_status, 0) < 0 && errno == EINTR) {
    }
    end.output = read_output(output);
    ::close(output);
    return end;
}

std::string describe_end(int wait_status) {
    if (WIFEXITED(wait_status)) return "exit(" + std::to_string(WEXITSTATUS(wait_status)) + ")";
    const char* name = ::sigabbrev_np(WTERMSIG(wait_status));
    return name == nullptr ? "signal " + std::to_string(WTERMSIG(wait_status)) : "SIG" + std::string(name);
}

}  // namespace keelson::check
