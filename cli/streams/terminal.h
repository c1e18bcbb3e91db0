// The terminal of this process, when it has one.
#pragma once

#include <termios.h>

#include <cstdint>
#include <optional>

namespace keelson::cli::streams {

struct TerminalSize {
    std::uint16_t width = 0;
    std::uint16_t height = 0;
};

bool is_terminal(int descriptor);
std::optional<TerminalSize> terminal_size(int descriptor);

// Every key goes to the program, until this ends. Signals that end the process bring the terminal back too.
class RawTerminal {
  public:
    explicit RawTerminal(int descriptor);
    ~RawTerminal();
    RawTerminal(const RawTerminal&) = delete;
    RawTerminal& operator=(const RawTerminal&) = delete;
};

// Readable when the size of the terminal has changed. Blocks the signal for this process.
class SizeChanges {
  public:
    SizeChanges();
    ~SizeChanges();
    SizeChanges(const SizeChanges&) = delete;
    SizeChanges& operator=(const SizeChanges&) = delete;
    [[nodiscard]] int descriptor() const { return descriptor_; }
    void take();

  private:
    int descriptor_;
};

}  // namespace keelson::cli::streams
