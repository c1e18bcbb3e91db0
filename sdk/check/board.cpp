#include "board.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

namespace keelson::check {
namespace {

Board* current = nullptr;

void copy_text(char* to, std::size_t capacity, std::string_view text) {
    const std::size_t size = std::min(text.size(), capacity - 1);
    std::memcpy(to, text.data(), size);
    to[size] = '\0';
}

}  // namespace

Board* Board::make() {
    void* memory = ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        std::perror("keelson-plugin-check: mapping memory");
        std::exit(2);
    }
    auto* made = new (memory) Board;
    made->clear();
    return made;
}

void Board::set_phase(std::string_view text) {
    while (phase_lock_.test_and_set(std::memory_order_acquire)) {
    }
    copy_text(phase_, sizeof phase_, text);
    phase_lock_.clear(std::memory_order_release);
}

void Board::set_memory_note(const char* what, const char* name) {
    if (memory_note_[0] != '\0') return;
    std::size_t used = 0;
    for (const char* part : {what, name}) {
        for (; *part != '\0' && used + 1 < sizeof memory_note_; ++part) memory_note_[used++] = *part;
    }
    memory_note_[used] = '\0';
}

void Board::finish(Outcome outcome, std::string_view reason) {
    copy_text(reason_, sizeof reason_, reason);
    outcome_ = outcome;
}

void Board::clear() {
    phase_lock_.clear();
    outcome_ = Outcome::none;
    phase_[0] = memory_note_[0] = reason_[0] = '\0';
}

Board& board() {
    return *current;
}

void use_board(Board* used) {
    current = used;
}

}  // namespace keelson::check
