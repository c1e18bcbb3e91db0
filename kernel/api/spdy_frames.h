// SPDY/3.1 as Kubernetes' clients speak it: frames and their compressed headers
// (https://www.chromium.org/spdy/spdy-protocol/spdy-protocol-draft3-1/). Windows are not kept: neither
// kubectl nor kubelets do, and TCP holds back whoever is too fast.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/api/exchange.h"

namespace keelson::api {

enum class SpdyKind : std::uint16_t {
    data = 0,
    syn_stream = 1,
    syn_reply = 2,
    reset = 3,
    settings = 4,
    ping = 6,
    go_away = 7,
    headers = 8,
    window_update = 9,
};

struct SpdyFrame {
    SpdyKind kind = SpdyKind::data;
    std::uint32_t stream = 0;
    bool is_final = false;        // the sender's half of the stream ends with it
    std::vector<Header> headers;  // of syn_stream, syn_reply and headers; names in lower case
    std::string data;             // data frames come in the pieces in which they arrive
    std::uint32_t number = 0;     // the id of a ping, the status of a reset

    [[nodiscard]] std::string_view header(std::string_view name) const;
};

class SpdyParser {
  public:
    static constexpr std::size_t control_limit_bytes = 64 << 10;
    static constexpr std::size_t headers_limit_bytes = 64 << 10;  // after decompression

    SpdyParser();
    ~SpdyParser();

    void put(std::string_view bytes);
    // None: more has to be put first, or the peer has broken the rules and nothing comes any more.
    [[nodiscard]] std::optional<SpdyFrame> next();
    // Why nothing comes any more; empty while all is well.
    [[nodiscard]] const std::string& failure() const { return failure_; }

  private:
    class Inflater;
    std::optional<SpdyFrame> next_data();
    std::optional<SpdyFrame> next_control();
    bool read_control(std::string_view payload, SpdyFrame& frame);
    bool read_headers(std::string_view compressed, SpdyFrame& frame);
    bool fail(std::string reason);
    void consume(std::size_t bytes);

    std::string buffer_;
    std::size_t used_ = 0;
    std::uint32_t data_left_ = 0;  // of the data frame that is being read
    SpdyFrame data_frame_;         // its head
    bool in_data_ = false;
    std::unique_ptr<Inflater> inflater_;  // made when the first headers come
    std::string failure_;
};

// Makes frames. Headers are stored in their compressed stream as they are: they are few.
class SpdyWriter {
  public:
    static constexpr std::uint32_t invalid_stream = 2;
    static constexpr std::uint32_t refused_stream = 3;

    // At most 16 MiB - 1.
    static void data(std::uint32_t stream, std::string_view bytes, bool is_final, std::string& out);
    static void reset(std::uint32_t stream, std::uint32_t status, std::string& out);
    static void ping(std::uint32_t id, std::string& out);
    static void go_away(std::uint32_t last_stream, std::string& out);
    // In the order in which they are sent: the peer decompresses them as one text.
    void syn_stream(std::uint32_t stream, const std::vector<Header>& headers, std::string& out);
    void syn_reply(std::uint32_t stream, std::string& out);

  private:
    void append_headers(const std::vector<Header>& headers, std::string& out);
    bool has_begun_ = false;
};

}  // namespace keelson::api
