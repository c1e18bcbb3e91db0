#include "cli/streams/terminal.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace keelson::cli::streams {
namespace {

// For the signals' handler.
volatile int raw_descriptor = -1;
termios before{};

void restore() {
    if (raw_descriptor >= 0) ::tcsetattr(raw_descriptor, TCSANOW, &before);
    raw_descriptor = -1;
}

void restore_and_end(int signal) {
    restore();
    ::signal(signal, SIG_DFL);
    ::raise(signal);
}

}  // namespace

bool is_terminal(int descriptor) {
    return ::isatty(descriptor) == 1;
}

std::optional<TerminalSize> terminal_size(int descriptor) {
    winsize size{};
    if (::ioctl(descriptor, TIOCGWINSZ, &size) != 0) return std::nullopt;
    return TerminalSize{size.ws_col, size.ws_row};
}

RawTerminal::RawTerminal(int descriptor) {
    if (::tcgetattr(descriptor, &before) != 0) return;
    termios raw = before;
    ::cfmakeraw(&raw);
    if (::tcsetattr(descriptor, TCSANOW, &raw) != 0) return;
    raw_descriptor = descriptor;
    for (const int signal : {SIGHUP, SIGTERM, SIGINT, SIGQUIT}) ::signal(signal, restore_and_end);
}

RawTerminal::~RawTerminal() {
    restore();
}

SizeChanges::SizeChanges() {
    sigset_t signals;
    ::sigemptyset(&signals);
    ::sigaddset(&signals, SIGWINCH);
    ::sigprocmask(SIG_BLOCK, &signals, nullptr);
    descriptor_ = ::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

SizeChanges::~SizeChanges() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

void SizeChanges::take() {
    signalfd_siginfo information{};
    while (::read(descriptor_, &information, sizeof information) == sizeof information) {
    }
}

}  // namespace keelson::cli::streams
