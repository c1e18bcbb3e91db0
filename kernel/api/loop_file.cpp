#include "kernel/api/loop_file.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

namespace keelson::api {

using base::FileDescriptor;
using base::Result;
using base::Task;

Result<std::unique_ptr<LoopFile>> LoopFile::open(IoLoop& loop, FileDescriptor descriptor) {
    struct stat facts {};
    if (::fstat(descriptor.get(), &facts) != 0) return base::system_error("looking at a stream", errno);
    if (!S_ISFIFO(facts.st_mode) && !S_ISSOCK(facts.st_mode) && !S_ISCHR(facts.st_mode))
        return base::Status(base::Reason::internal_error, "a stream is neither a pipe nor a socket");
    if (::fcntl(descriptor.get(), F_SETFL, ::fcntl(descriptor.get(), F_GETFL) | O_NONBLOCK) != 0)
        return base::system_error("preparing a stream", errno);
    return std::unique_ptr<LoopFile>(new LoopFile(loop, descriptor.release()));
}

Task<int> LoopFile::connect(const sockaddr* address, socklen_t length) {
    if (is_closed_) co_return ECANCELED;
    if (::connect(descriptor_.fd(), address, length) == 0) co_return 0;
    if (errno != EINPROGRESS) co_return errno;
    ready waiting{descriptor_, Descriptor::Readiness::writable};
    (void)co_await waiting;
    if (is_closed_) co_return ECANCELED;
    int failure = 0;
    socklen_t size = sizeof failure;
    ::getsockopt(descriptor_.fd(), SOL_SOCKET, SO_ERROR, &failure, &size);
    co_return failure;
}

std::optional<std::size_t> LoopFile::read_now(std::string& out, std::size_t limit_bytes) {
    const std::size_t before = out.size();
    out.resize(before + limit_bytes);
    ssize_t count = 0;
    do {
        count = ::read(descriptor_.fd(), out.data() + before, limit_bytes);
    } while (count < 0 && errno == EINTR);
    out.resize(before + (count > 0 ? static_cast<std::size_t>(count) : 0));
    if (count < 0 && errno == EAGAIN) return std::nullopt;
    // A terminal whose other side has gone gives EIO: that is its end.
    return count > 0 ? static_cast<std::size_t>(count) : 0;
}

Task<bool> LoopFile::read(std::string& out, std::size_t limit_bytes) {
    while (!is_closed_) {
        if (ends_when_empty_) {
            const std::optional<std::size_t> count = read_now(out, limit_bytes);
            if (!count || *count == 0) co_return false;
            co_return true;
        }
        is_waiting_to_read_ = true;
        ready waiting{descriptor_, Descriptor::Readiness::readable};
        (void)co_await waiting;
        is_waiting_to_read_ = false;
        if (is_closed_) break;
        const std::optional<std::size_t> count = read_now(out, limit_bytes);
        if (count) co_return *count > 0;
    }
    co_return false;
}

Task<bool> LoopFile::write(std::string_view data) {
    while (!is_closed_ && !data.empty()) {
        const ssize_t count = ::write(descriptor_.fd(), data.data(), data.size());
        if (count > 0) data.remove_prefix(static_cast<std::size_t>(count));
        if (count >= 0 || errno == EINTR) continue;
        if (errno != EAGAIN) co_return false;
        ready waiting{descriptor_, Descriptor::Readiness::writable};
        (void)co_await waiting;
    }
    co_return !is_closed_;
}

void LoopFile::cancel_reads() {
    ends_when_empty_ = true;
    if (is_waiting_to_read_) descriptor_.cancel();
}

void LoopFile::close() {
    if (std::exchange(is_closed_, true)) return;
    descriptor_.close();
}

void LoopFile::end_writing() {
    if (!is_closed_) ::shutdown(descriptor_.fd(), SHUT_WR);
}

}  // namespace keelson::api
