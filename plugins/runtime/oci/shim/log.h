// A container's output in its log file: "2026-01-02T03:04:05.000000000Z stdout F text", P instead of F for a
// piece of a line that goes on.
#ifndef KEELSON_OCI_SHIM_LOG_H
#define KEELSON_OCI_SHIM_LOG_H

#include "text.h"

namespace keelson::oci::shim {

constexpr std::size_t piece_bytes = 16'384;  // the longest piece of a line

class Log {
  public:
    // Opens the file, or makes it. When it has grown beyond `most_bytes` it is renamed to <path>.1 and begun
    // anew; 0: never. False with errno.
    bool open(const char* path, std::int64_t most_bytes);
    bool reopen();
    void close();
    // What cannot be written is lost: a full disk does not stop the container.
    void write(const char* data, std::size_t size);

  private:
    int file_;  // 0: none; all zero before it is opened, so that unused ones take no memory
    std::int64_t size_;
    std::int64_t most_bytes_;
    char path_[1024];
};

// One stream of a container on its way to the log.
class LineBuffer {
  public:
    void reset(const char* stream) {
        stream_ = stream;
        length_ = 0;
    }
    [[nodiscard]] char* room() { return data_ + length_; }
    [[nodiscard]] std::size_t room_size() const { return sizeof data_ - length_; }
    // `size` bytes were put into the room: whole lines and full pieces go to the log.
    void filled(std::size_t size, Log& log);
    // What is left, at the stream's end, as a whole line.
    void end(Log& log);

  private:
    const char* stream_;
    std::size_t length_;
    char data_[piece_bytes];
};

}  // namespace keelson::oci::shim

#endif
