#include "log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace keelson::oci::shim {
namespace {

// Lines are gathered here and written at once. There is one thread.
class Batch {
  public:
    explicit Batch(Log& log, const char* stream) : log_(log) {
        write_time(head_, unix_ns());
        Text rest(head_ + time_bytes, sizeof head_ - time_bytes);
        rest.add(' ').add(stream).add(" F ");
        head_size_ = time_bytes + rest.size();
    }
    Batch(const Batch&) = delete;
    Batch& operator=(const Batch&) = delete;
    ~Batch() { flush(); }

    void line(const char* text, std::size_t size, bool is_whole) {
        if (sizeof room - length_ < head_size_ + size + 1) flush();
        std::memcpy(room + length_, head_, head_size_);
        room[length_ + head_size_ - 2] = is_whole ? 'F' : 'P';
        std::memcpy(room + length_ + head_size_, text, size);
        length_ += head_size_ + size;
        room[length_++] = '\n';
    }

  private:
    void flush() {
        if (length_ > 0) log_.write(room, length_);
        length_ = 0;
    }

    static inline char room[2 * piece_bytes];
    Log& log_;
    std::size_t length_ = 0;
    std::size_t head_size_ = 0;
    char head_[time_bytes + 24];
};

}  // namespace

bool Log::open(const char* path, std::int64_t most_bytes) {
    Text text(path_, sizeof path_);
    most_bytes_ = most_bytes;
    if (!text.add(path).overflowed()) return reopen();
    errno = ENAMETOOLONG;
    return false;
}

bool Log::reopen() {
    const int file = ::open(path_, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);
    if (file < 0) return false;
    close();
    file_ = file;
    struct stat about {};
    size_ = ::fstat(file_, &about) == 0 ? about.st_size : 0;
    return true;
}

void Log::close() {
    if (file_ > 0) ::close(file_);
    file_ = 0;
}

void Log::write(const char* data, std::size_t size) {
    if (file_ <= 0) return;
    if (most_bytes_ > 0 && size_ > 0 && size_ + std::int64_t(size) > most_bytes_) {
        Buffer<sizeof path_ + 2> old;
        old.add(path_).add(".1");
        ::rename(path_, old.data());
        reopen();
    }
    ssize_t written = 0;
    do written = ::write(file_, data, size);
    while (written < 0 && errno == EINTR);
    if (written > 0) size_ += written;
}

void LineBuffer::filled(std::size_t size, Log& log) {
    Batch batch(log, stream_);
    length_ += size;
    std::size_t begin = 0;
    while (const void* end = std::memchr(data_ + begin, '\n', length_ - begin)) {
        const auto at = std::size_t(static_cast<const char*>(end) - data_);
        batch.line(data_ + begin, at - begin, true);
        begin = at + 1;
    }
    if (begin == 0 && length_ == sizeof data_) {
        batch.line(data_, length_, false);
        begin = length_;
    }
    std::memmove(data_, data_ + begin, length_ - begin);
    length_ -= begin;
}

void LineBuffer::end(Log& log) {
    if (length_ == 0) return;
    Batch batch(log, stream_);
    batch.line(data_, length_, true);
    length_ = 0;
}

}  // namespace keelson::oci::shim
