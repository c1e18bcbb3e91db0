// What travels between the kernel and keelson-plugin-host: frames over a Unix stream socket, with file
// descriptors. Both ends are of the same build or one that speaks the same kProtocol.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/files.h"
#include "kernel/base/result.h"

namespace keelson::plugin {

inline constexpr std::uint32_t kProtocol = 1;
inline constexpr std::size_t kFrameLimitBytes = (std::size_t{16} << 20) + 4096;
inline constexpr std::size_t kFrameDescriptors = 16;

enum class FrameType : std::uint8_t {
    hello,      // host -> kernel, first: body is a Hello document
    call,       // kernel -> host: id, method, deadline, text = traceparent, body = request
    cancel,     // kernel -> host: id
    reply,      // host -> kernel: id, code, body
    log,        // host -> kernel: code = level, body
    metric,     // host -> kernel: code = kind, text = name, body = value and labels as JSON
    event,      // host -> kernel: body
    reconcile,  // host -> kernel: body = key
    leave,      // kernel -> host: stop the instance and end
};

struct Frame {
    FrameType type = FrameType::call;
    std::uint64_t id = 0;
    std::int32_t code = 0;
    std::uint16_t capability = 0;
    std::uint16_t method = 0;
    std::int64_t deadline_us = 0;
    std::string text;
    std::string body;
    std::vector<base::FileDescriptor> descriptors;
};

// One end of the socket. One thread reads at a time, any number write.
class FrameSocket {
  public:
    explicit FrameSocket(base::FileDescriptor socket) : socket_(std::move(socket)) {}

    // Blocks until the peer takes it. Descriptors are sent along and stay the caller's. Fails when the peer
    // has gone.
    [[nodiscard]] base::Result<void> write(const Frame& frame, const std::vector<int>& descriptors = {});
    // Blocks. Fails when the peer has gone or sends what is not a frame.
    [[nodiscard]] base::Result<Frame> read();
    // Ends both directions: a reader wakes up. Thread-safe.
    void shut_down();
    [[nodiscard]] int descriptor() const { return socket_.get(); }

  private:
    [[nodiscard]] base::Result<void> read_exactly(char* data, std::size_t size,
                                                  std::vector<base::FileDescriptor>& descriptors);

    base::FileDescriptor socket_;
    std::mutex write_mutex_;
};

}  // namespace keelson::plugin
