// Text in fixed buffers, and small files. Nothing here allocates.
#ifndef KEELSON_OCI_SHIM_TEXT_H
#define KEELSON_OCI_SHIM_TEXT_H

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace keelson::oci::shim {

// Appends until it is full; what does not fit is cut, and overflowed() says so. Always ends with a zero byte.
class Text {
  public:
    Text(char* buffer, std::size_t size) : at_(buffer), begin_(buffer), end_(buffer + size - 1) { *at_ = 0; }
    Text& add(const char* text) { return add(text, std::strlen(text)); }
    Text& add(const char* text, std::size_t size);
    Text& add(char character) { return add(&character, 1); }
    Text& number(std::int64_t value, int digits = 1);
    [[nodiscard]] const char* data() const { return begin_; }
    [[nodiscard]] std::size_t size() const { return std::size_t(at_ - begin_); }
    [[nodiscard]] bool overflowed() const { return overflowed_; }

  private:
    char* at_;
    char* begin_;
    char* end_;
    bool overflowed_ = false;
};

template <std::size_t Size>
class Buffer : public Text {
  public:
    Buffer() : Text(room_, Size) {}
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;

  private:
    char room_[Size];
};

// A number at the beginning of a text; 0 when there is none.
std::int64_t parse_number(const char* text);

constexpr std::size_t time_bytes = 30;  // "2026-01-02T03:04:05.000000000Z"
void write_time(char* to, std::int64_t unix_ns);
std::int64_t unix_ns();
std::int64_t monotonic_ms();

// What a file holds, at most size - 1 bytes, ended with a zero byte; empty when it cannot be read.
std::size_t read_file(const char* path, char* buffer, std::size_t size);
// False with errno.
bool write_file(const char* path, const char* text, std::size_t size);

}  // namespace keelson::oci::shim

#endif
