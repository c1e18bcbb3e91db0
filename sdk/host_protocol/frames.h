// What travels between the kernel and keelson-plugin-host: frames over a Unix stream socket, with file
// descriptors. Both ends are of the same build or one that speaks the same kProtocol.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "keelson/call.hpp"
#include "sdk/host_protocol/outcome.h"

namespace keelson::host_protocol {

// What the message of a failure is when the method threw an exception.
inline constexpr std::string_view kThrown = "threw an exception";
inline constexpr std::uint32_t kProtocol = 2;
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
    // What the plugin asks of keelson.host.objects; numbers are the host's own.
    objects_call,    // host -> kernel: id, method = verb, deadline, body = request
    objects_cancel,  // host -> kernel: id
    objects_reply,   // kernel -> host: id, code, body
};
inline constexpr FrameType kLastFrameType = FrameType::objects_reply;

struct Frame {
    FrameType type = FrameType::call;
    std::uint64_t id = 0;
    std::int32_t code = 0;
    std::uint16_t capability = 0;
    std::uint16_t method = 0;
    std::int64_t deadline_us = 0;
    std::string text;
    std::string body;
    std::vector<Descriptor> descriptors;
};

// One end of the socket. One thread reads at a time, any number write.
class FrameSocket {
  public:
    explicit FrameSocket(Descriptor socket) : socket_(std::move(socket)) {}

    // Blocks until the peer takes it. Descriptors are sent along and stay the caller's. Fails when the peer
    // has gone.
    [[nodiscard]] Result<void> write(const Frame& frame, const std::vector<int>& descriptors = {});
    // Blocks. Fails when the peer has gone or sends what is not a frame.
    [[nodiscard]] Result<Frame> read();
    // Ends both directions: a reader wakes up. Thread-safe.
    void shut_down();
    [[nodiscard]] int descriptor() const { return socket_.get(); }

  private:
    [[nodiscard]] Result<void> read_exactly(char* data, std::size_t size,
                                            std::vector<Descriptor>& descriptors);

    Descriptor socket_;
    std::mutex write_mutex_;
};

}  // namespace keelson::host_protocol
