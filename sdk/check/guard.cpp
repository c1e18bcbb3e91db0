#include "guard.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <new>

#include "board.h"

namespace keelson::check {
namespace {

struct Forbidden {
    std::uintptr_t begin;
    std::uintptr_t end;
    const char* what;
    const char* name;
};

// A plain array, because a signal handler reads it. The newest entries replace the oldest.
std::array<Forbidden, 4096> forbidden;
std::atomic<std::size_t> forbidden_count{0};

void forbid(const char* begin, std::size_t size, const char* what, const char* name) {
    const auto address = reinterpret_cast<std::uintptr_t>(begin);
    forbidden[forbidden_count++ % forbidden.size()] = {address, address + size, what, name};
}

void note_fault(int signal_number, siginfo_t* info, void*) {
    const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
    for (const Forbidden& range : forbidden) {
        if (address >= range.begin && address < range.end) board().set_memory_note(range.what, range.name);
    }
    // The faulting instruction runs again, now with the system's own answer to it.
    ::signal(signal_number, SIG_DFL);
}

}  // namespace

GuardedBytes::GuardedBytes(const char* name, const void* content, std::size_t size) : name_(name) {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    readable_size_ = (size + page) / page * page;
    void* memory =
        ::mmap(nullptr, readable_size_ + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    mapping_ = static_cast<char*>(memory);
    ::mprotect(mapping_ + readable_size_, page, PROT_NONE);
    forbid(mapping_ + readable_size_, page, "it reached beyond the end of ", name_);
    data_ = mapping_ + readable_size_ - size;
    if (size != 0) std::memcpy(data_, content, size);
}

void GuardedBytes::expire() {
    ::mprotect(mapping_, readable_size_, PROT_NONE);
    ::madvise(mapping_, readable_size_, MADV_DONTNEED);
    forbid(mapping_, readable_size_, "it used, after the method had returned, ", name_);
}

void install_fault_notes() {
    struct sigaction action {};
    action.sa_sigaction = note_fault;
    action.sa_flags = SA_SIGINFO;
    ::sigaction(SIGSEGV, &action, nullptr);
    ::sigaction(SIGBUS, &action, nullptr);
}

}  // namespace keelson::check
