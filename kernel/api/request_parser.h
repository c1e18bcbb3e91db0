// Turns bytes into a Request. Beast's parser behind a small face; internal to the room. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "kernel/api/exchange.h"

namespace keelson::api {

enum class ParseError : std::uint8_t {
    none,
    malformed,
    unsupported_version,
    headers_too_large,
    body_too_large
};

class RequestParser {
  public:
    // Fills `request`, which must outlive the parser. Limits in bytes.
    RequestParser(Request& request, std::size_t header_limit_bytes, std::size_t body_limit_bytes);
    ~RequestParser();

    // Consumes bytes from the front of data and returns how many; what is left comes again in front of newer
    // bytes. Once done() nothing more is consumed: the rest belongs to the next request.
    std::size_t put(std::string_view data, ParseError& error);

    [[nodiscard]] bool header_done() const;
    [[nodiscard]] bool done() const;
    // The rest is valid from header_done() on.
    [[nodiscard]] bool keep_alive() const;
    [[nodiscard]] bool is_http_1_0() const;
    [[nodiscard]] bool expects_continue() const;
    [[nodiscard]] bool has_host() const;
    [[nodiscard]] std::optional<std::uint64_t> content_length() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace keelson::api
