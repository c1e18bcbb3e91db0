// SPDY over a stream of bytes, the server's side.
#pragma once

#include "kernel/api/byte_stream.h"
#include "kernel/api/spdy_frames.h"
#include "kernel/base/result.h"

namespace keelson::api {

// Whether the client asks for "Upgrade: SPDY/3.1".
[[nodiscard]] bool asks_for_spdy(const Request& request);
// Hands the connection over; `protocol` is what runs in its streams, none is named when it is empty.
[[nodiscard]] base::Task<base::Result<ByteStream*>> upgrade_to_spdy(Exchange& exchange,
                                                                    const std::string& protocol);

// Of the stream's loop. next() is awaited by one task, the others by any.
class SpdyConnection {
  public:
    explicit SpdyConnection(ByteStream& bytes) : bytes_(bytes) {}

    [[nodiscard]] ByteStream& bytes() { return bytes_; }
    // What concerns a stream: syn_stream, data, reset. Pings are answered. None: the client is gone or broke
    // the rules.
    base::Task<std::optional<SpdyFrame>> next();
    base::Task<bool> accept(std::uint32_t stream);
    base::Task<bool> refuse(std::uint32_t stream, std::uint32_t status = SpdyWriter::refused_stream);
    base::Task<bool> send(std::uint32_t stream, std::string_view data, bool is_final = false);
    // Takes no more streams.
    base::Task<void> go_away();

  private:
    ByteStream& bytes_;
    SpdyParser parser_;
    SpdyWriter writer_;
    std::uint32_t last_stream_ = 0;
};

}  // namespace keelson::api
