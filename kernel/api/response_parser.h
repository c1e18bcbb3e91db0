// Turns bytes into the answer of an HTTP/1.1 server. Beast's parser behind a small face; internal to the
// room.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/api/exchange.h"

namespace keelson::api {

class ResponseParser {
  public:
    static constexpr std::size_t header_limit_bytes = 64 << 10;

    // `is_head`: what answers a HEAD request has no body whatever its headers say.
    explicit ResponseParser(bool is_head);
    ~ResponseParser();

    // False: it is no answer.
    [[nodiscard]] bool put(std::string_view bytes);
    // The server has closed the connection. False: before the end.
    [[nodiscard]] bool put_end();
    [[nodiscard]] bool header_done() const;
    [[nodiscard]] bool done() const;
    [[nodiscard]] int status() const;
    [[nodiscard]] const std::vector<Header>& headers() const;
    // What has come of the body since the last call, without its chunks' borders.
    [[nodiscard]] std::string take_body();

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace keelson::api
