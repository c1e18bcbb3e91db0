#include "process_state.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <clocale>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

namespace keelson::check {
namespace {

std::size_t entries_in(const char* directory) {
    std::error_code ignored;
    const auto entries = std::filesystem::directory_iterator(directory, ignored);
    return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

bool is_same_action(const struct sigaction& one, const struct sigaction& other) {
    return one.sa_handler == other.sa_handler && one.sa_flags == other.sa_flags;
}

}  // namespace

std::size_t open_descriptors() {
    // The directory itself is one while it is read.
    return entries_in("/proc/self/fd") - 1;
}

std::size_t running_threads() {
    return entries_in("/proc/self/task");
}

std::size_t child_processes() {
    std::size_t count = 0;
    std::error_code ignored;
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task", ignored)) {
        std::ifstream children(task.path() / "children");
        for (std::string process; children >> process;) ++count;
    }
    return count;
}

std::size_t resident_bytes() {
    std::ifstream statistics("/proc/self/statm");
    std::size_t total_pages = 0;
    std::size_t resident_pages = 0;
    statistics >> total_pages >> resident_pages;
    return resident_pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

std::size_t threads_settled_at(std::size_t expected) {
    // A joined thread leaves /proc a moment after join() has returned.
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(1);
    std::size_t count = running_threads();
    while (count > expected && std::chrono::steady_clock::now() < until) {
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
        count = running_threads();
    }
    return count;
}

std::string identity_of(int descriptor) {
    struct stat info {};
    if (::fstat(descriptor, &info) != 0) return "closed";
    return std::to_string(info.st_dev) + ":" + std::to_string(info.st_ino);
}

std::array<struct sigaction, NSIG> signal_actions() {
    std::array<struct sigaction, NSIG> actions{};
    for (int number = 1; number < NSIG; ++number) {
        (void)::sigaction(number, nullptr, &actions[static_cast<std::size_t>(number)]);
    }
    return actions;
}

std::vector<std::string> changed_signals(const std::array<struct sigaction, NSIG>& before) {
    const auto now = signal_actions();
    std::vector<std::string> changed;
    for (std::size_t number = 1; number < NSIG; ++number) {
        if (is_same_action(before[number], now[number])) continue;
        const char* name = ::sigabbrev_np(static_cast<int>(number));
        changed.push_back(name == nullptr ? "signal " + std::to_string(number) : "SIG" + std::string(name));
    }
    return changed;
}

std::string working_directory() {
    std::error_code error;
    return std::filesystem::current_path(error).string();
}

unsigned file_mode_mask() {
    const mode_t mask = ::umask(077);
    ::umask(mask);
    return mask;
}

std::string locale_name() {
    const char* name = std::setlocale(LC_ALL, nullptr);
    return name == nullptr ? std::string() : std::string(name);
}

std::vector<std::string> environment() {
    std::vector<std::string> variables;
    for (char** variable = environ; *variable != nullptr; ++variable) variables.emplace_back(*variable);
    std::sort(variables.begin(), variables.end());
    return variables;
}

}  // namespace keelson::check
