// Bytes both ways, with whoever is at the other end: what is left of a connection once HTTP is over on it, or
// something that runs inside of that.
#pragma once

#include <functional>
#include <string_view>

#include "kernel/api/io_loop.h"
#include "kernel/base/task.h"

namespace keelson::api {

// Belongs to its loop's thread. At most one task reads at a time; any number may write, each write goes out
// as a whole. No time-out but that of the transport: nothing is said of how long either side may be silent.
class ByteStream {
  public:
    virtual ~ByteStream() = default;
    ByteStream() = default;
    ByteStream(const ByteStream&) = delete;
    ByteStream& operator=(const ByteStream&) = delete;

    [[nodiscard]] virtual IoLoop& loop() = 0;
    // What has arrived, waiting for it; empty when the peer has ended or is gone, or the server stops. Good
    // until the next suspension of any task on the loop: to be consumed or copied at once.
    virtual base::Task<std::string_view> read() = 0;
    // Waits until the transport has taken all of it, so a slow peer slows its writers down; nothing else is
    // buffered. False when the peer is gone. The data stays where it is until then.
    virtual base::Task<bool> write(std::string_view data) = 0;
    // A read that waits ends now, and so does every later one; writes go on.
    virtual void end_reading() = 0;
    // Called at most once, when the peer turns out to be gone, or the server stops, while nobody reads. An
    // empty function forgets it. Never called after the stream's end.
    virtual void on_lost(std::function<void()> callback) = 0;
};

}  // namespace keelson::api
