// What happened in a run, in order: the end of it is printed with a broken invariant, all of it on request.
#pragma once

#include <cstdint>
#include <cstdio>
#include <deque>
#include <string>

#include "kernel/base/clock.h"

namespace keelson::sim {

class Diary {
  public:
    Diary(const base::Clock& clock, bool prints) : clock_(clock), begin_(clock.now()), prints_(prints) {}

    void note(std::string text) {
        const auto passed =
            std::chrono::duration_cast<std::chrono::milliseconds>(clock_.now() - begin_).count();
        lines_.push_back(std::to_string(passed) + " ms  " + std::move(text));
        if (prints_) std::fprintf(stderr, "%s\n", lines_.back().c_str());
        if (lines_.size() > kLongest) lines_.pop_front();
    }
    [[nodiscard]] const std::deque<std::string>& lines() const { return lines_; }

  private:
    static constexpr std::size_t kLongest = 60;

    const base::Clock& clock_;
    base::MonotonicTime begin_;
    bool prints_;
    std::deque<std::string> lines_;
};

}  // namespace keelson::sim
