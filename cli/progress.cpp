#include "cli/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "cli/output.h"

namespace keelson::cli {
namespace {

constexpr std::chrono::milliseconds kBetweenLines{100};
constexpr std::size_t kWidestBar = 40;
constexpr std::size_t kUsualColumns = 80;

bool is_a_terminal() {
    const char* terminal = std::getenv("TERM");
    return ::isatty(STDERR_FILENO) == 1 && terminal != nullptr && std::string_view(terminal) != "dumb";
}

std::size_t columns_of_terminal() {
    winsize size{};
    if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kUsualColumns;
    return size.ws_col;
}

std::string bar(std::uint64_t done_bytes, std::uint64_t whole_bytes, std::size_t width) {
    const auto filled = static_cast<std::size_t>(
        static_cast<double>(done_bytes) / static_cast<double>(whole_bytes) * static_cast<double>(width));
    return "[" + std::string(filled, '#') + std::string(width - filled, '-') + "]";
}

}  // namespace

std::string size_text(std::uint64_t bytes) {
    if (bytes < 1'000'000) return std::to_string(bytes / 1000) + " kB";
    return std::to_string(bytes / 1'000'000) + "." + std::to_string(bytes / 100'000 % 10) + " MB";
}

std::string progress_text(const std::string& title, std::uint64_t done_bytes, std::uint64_t whole_bytes,
                          std::size_t columns) {
    if (whole_bytes == 0) return (title + " " + size_text(done_bytes)).substr(0, columns);
    done_bytes = std::min(done_bytes, whole_bytes);
    const std::string percent = std::to_string(done_bytes * 100 / whole_bytes);
    const std::string sizes =
        std::string(3 - percent.size(), ' ') + percent + "% of " + size_text(whole_bytes);
    constexpr std::size_t kAroundBar = 4;  // brackets and spaces
    const std::size_t taken = title.size() + sizes.size() + kAroundBar;
    const std::size_t width = taken < columns ? std::min(kWidestBar, columns - taken) : 0;
    const std::string text =
        title + " " + (width == 0 ? "" : bar(done_bytes, whole_bytes, width) + " ") + sizes;
    return text.substr(0, columns);
}

ProgressLine::ProgressLine(const std::string& title) : title_(printable(title)), is_shown_(is_a_terminal()) {}

ProgressLine::~ProgressLine() {
    if (is_shown_ && next_.time_since_epoch().count() != 0) std::fputs("\r\033[K", stderr);
}

void ProgressLine::show(std::uint64_t done_bytes, std::uint64_t whole_bytes) {
    if (!is_shown_) return;
    const auto now = std::chrono::steady_clock::now();
    if (now < next_) return;
    next_ = now + kBetweenLines;
    // One column stays free: a full line would move on to the next.
    const std::string text = progress_text(title_, done_bytes, whole_bytes, columns_of_terminal() - 1);
    std::fputs(("\r" + text + "\033[K").c_str(), stderr);
    std::fflush(stderr);
}

}  // namespace keelson::cli
