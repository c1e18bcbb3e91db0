#include "stream.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace keelson::userspace {
namespace {

constexpr std::size_t most_in_pipe = 262'144;
constexpr int turns_at_once = 16;
constexpr std::size_t most_spare_pipes = 256;

}  // namespace

Pipe PipePool::take() {
    if (!pipes_.empty()) {
        Pipe pipe = std::move(pipes_.back());
        pipes_.pop_back();
        return pipe;
    }
    int ends[2];
    if (::pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) return {};
    // Where it is not allowed the pipe is smaller.
    ::fcntl(ends[1], F_SETPIPE_SZ, int(most_in_pipe));
    return {Descriptor(ends[0]), Descriptor(ends[1])};
}

void PipePool::give(Pipe pipe) {
    if (pipe && pipes_.size() < most_spare_pipes) pipes_.push_back(std::move(pipe));
}

// Whether anything has come.
bool Stream::fill(int from, PipePool& pool) {
    if (has_ended_ || held_ >= most_in_pipe) return false;
    if (!pipe_) pipe_ = pool.take();
    if (!pipe_) {
        is_failed_ = true;
        return false;
    }
    const ssize_t size = ::splice(from, nullptr, pipe_.in.get(), nullptr, most_in_pipe - held_,
                                  SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (size > 0) {
        held_ += std::size_t(size);
        return true;
    }
    if (size == 0)
        has_ended_ = true;
    else if (errno != EAGAIN && errno != EINTR)
        is_failed_ = true;
    return false;
}

bool Stream::drain(int to) {
    if (held_ == 0) return false;
    const ssize_t size =
        ::splice(pipe_.out.get(), nullptr, to, nullptr, held_, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (size > 0) {
        held_ -= std::size_t(size);
        return true;
    }
    if (size < 0 && errno != EAGAIN && errno != EINTR) is_failed_ = true;
    return false;
}

Stream::State Stream::pump(int from, int to, PipePool& pool) {
    if (is_finished_) return State::finished;
    wants_turn_ = true;
    for (int turn = 0; turn < turns_at_once && !is_failed_; ++turn) {
        const bool has_come = fill(from, pool);
        const bool has_gone = drain(to);
        if (has_come || has_gone) continue;
        wants_turn_ = false;
        break;
    }
    if (is_failed_) return State::failed;
    if (held_ != 0) return State::open;
    release(pool);
    if (!has_ended_) return State::open;
    ::shutdown(to, SHUT_WR);
    is_finished_ = true;
    wants_turn_ = false;
    return State::finished;
}

// A pipe with something in it is nobody else's.
void Stream::release(PipePool& pool) {
    if (held_ == 0) pool.give(std::move(pipe_));
    pipe_ = {};
}

}  // namespace keelson::userspace
