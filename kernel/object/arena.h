// A bump allocator: everything that one request builds lives in one Arena and goes with it. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace keelson::object {

class Arena {
  public:
    Arena() = default;
    Arena(Arena&&) noexcept = default;
    Arena& operator=(Arena&&) noexcept = default;

    // Uninitialised memory, aligned to 8 bytes.
    void* allocate(std::size_t bytes) {
        bytes = (bytes + 7) & ~std::size_t{7};
        if (bytes > remaining_) grow(bytes);
        char* result = next_;
        next_ += bytes;
        remaining_ -= bytes;
        return result;
    }
    template <typename T>
    T* allocate_array(std::size_t count) {
        return static_cast<T*>(allocate(count * sizeof(T)));
    }
    std::string_view copy(std::string_view text) {
        if (text.empty()) return {};
        char* to = static_cast<char*>(allocate(text.size()));
        std::memcpy(to, text.data(), text.size());
        return {to, text.size()};
    }
    // Concatenates into the arena.
    std::string_view join(std::string_view first, std::string_view second) {
        char* to = static_cast<char*>(allocate(first.size() + second.size()));
        std::memcpy(to, first.data(), first.size());
        std::memcpy(to + first.size(), second.data(), second.size());
        return {to, first.size() + second.size()};
    }
    // Makes room for exactly that much, for what is to be kept long and never grows.
    void reserve(std::size_t bytes);
    // Forgets everything; the largest block is kept for what comes next.
    void clear();
    [[nodiscard]] std::size_t bytes_reserved() const { return reserved_; }

  private:
    void grow(std::size_t at_least);

    std::vector<std::unique_ptr<char[]>> blocks_;
    char* next_ = nullptr;
    std::size_t remaining_ = 0;
    std::size_t reserved_ = 0;
    std::size_t last_size_ = 0;  // of the last block, the largest
};

}  // namespace keelson::object
