// What a case's child process tells its parent: a page that both see, so that it survives every kind of
// crash.
#pragma once

#include <atomic>
#include <cstddef>
#include <string>
#include <string_view>

namespace keelson::check {

enum class Outcome : int { none, pass, warn, skip, fail };

class Board {
  public:
    // Maps a board that child processes share. Ends the process when there is no memory.
    [[nodiscard]] static Board* make();

    // What is being done at the moment; a crash or a hang is reported with it. Any thread.
    void set_phase(std::string_view text);
    // What a signal handler knows about a bad memory access. Async-signal-safe; the first note stays.
    void set_memory_note(const char* what, const char* name);
    // The case has come to its end.
    void finish(Outcome outcome, std::string_view reason);
    void clear();

    [[nodiscard]] std::string phase() const { return phase_; }
    [[nodiscard]] std::string memory_note() const { return memory_note_; }
    [[nodiscard]] std::string reason() const { return reason_; }
    [[nodiscard]] Outcome outcome() const { return outcome_; }

  private:
    std::atomic_flag phase_lock_;
    std::atomic<Outcome> outcome_;
    char phase_[1024];
    char memory_note_[256];
    char reason_[8192];
};

// The board of this process; set once before the first case.
[[nodiscard]] Board& board();
void use_board(Board* used);

}  // namespace keelson::check
