// How far long work is, for who waits at a terminal.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace keelson::cli {

// "12.3 MB".
std::string size_text(std::uint64_t bytes);

// One line of at most so many columns: the title, a bar and sizes; without a bar while whole_bytes is 0,
// which is: not known.
std::string progress_text(const std::string& title, std::uint64_t done_bytes, std::uint64_t whole_bytes,
                          std::size_t columns);

// A line on standard error that is written over, and gone in the end. Where standard error is no terminal, or
// is a dumb one, nothing is written. Used by one thread at a time.
class ProgressLine {
  public:
    explicit ProgressLine(const std::string& title);
    ~ProgressLine();
    ProgressLine(const ProgressLine&) = delete;
    ProgressLine& operator=(const ProgressLine&) = delete;

    [[nodiscard]] bool is_shown() const { return is_shown_; }
    // May be called as often as one likes.
    void show(std::uint64_t done_bytes, std::uint64_t whole_bytes);

  private:
    const std::string title_;
    const bool is_shown_;
    std::chrono::steady_clock::time_point next_{};
};

}  // namespace keelson::cli
