// Bytes that end where unreadable memory begins, so that reading past them is a fault at once, and that can
// be made unreadable themselves when their time is over.
#pragma once

#include <cstddef>
#include <string_view>

namespace keelson::check {

class GuardedBytes {
  public:
    // `name` ("the request") must live for ever. Sizes that are multiples of 8 are aligned to 8.
    GuardedBytes(const char* name, const void* content, std::size_t size);
    GuardedBytes(const GuardedBytes&) = delete;
    GuardedBytes& operator=(const GuardedBytes&) = delete;

    [[nodiscard]] void* data() const { return data_; }
    // From now on every access is a fault. The address range is never used again in this process.
    void expire();

  private:
    const char* name_;
    char* mapping_;
    std::size_t readable_size_;
    void* data_;
};

// Notes on the board which guarded bytes a fault has hit, then lets the signal end the process.
void install_fault_notes();

}  // namespace keelson::check
