// One direction of a connection: bytes go from one socket through a pipe to the other, without being copied
// into this process.
#ifndef KEELSON_USERSPACE_STREAM_H
#define KEELSON_USERSPACE_STREAM_H

#include <cstddef>
#include <vector>

#include "keelson/call.hpp"

namespace keelson::userspace {

struct Pipe {
    Descriptor out;
    Descriptor in;
    explicit operator bool() const { return bool(in); }
};

// Empty pipes that wait for the next one who needs one. For one thread.
class PipePool {
  public:
    // One without descriptors when the system has no more.
    Pipe take();
    void give(Pipe pipe);

  private:
    std::vector<Pipe> pipes_;
};

// While nothing is under way it has no pipe; what the receiver does not take stays in the pipe, and what does
// not fit into that with the sender.
class Stream {
  public:
    enum class State { open, finished, failed };

    // Moves what can be moved now: of each at most so much at a time, so that others get their turn.
    // Finished: the sender has ended and the receiver knows it.
    State pump(int from, int to, PipePool& pool);
    // There may be more that can be moved at once.
    [[nodiscard]] bool wants_turn() const { return wants_turn_; }
    void release(PipePool& pool);

  private:
    bool fill(int from, PipePool& pool);
    bool drain(int to);

    Pipe pipe_;
    std::size_t held_ = 0;
    bool has_ended_ = false;
    bool is_finished_ = false;
    bool is_failed_ = false;
    bool wants_turn_ = false;
};

}  // namespace keelson::userspace

#endif
