// The client's side of WebSocket (RFC 6455): messages of bytes.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "cli/streams/duplex.h"

namespace keelson::cli::streams {

class WebSocket {
  public:
    explicit WebSocket(std::unique_ptr<Duplex> duplex) : duplex_(std::move(duplex)) {}

    [[nodiscard]] int descriptor() const { return duplex_->descriptor(); }
    [[nodiscard]] std::size_t unsent() const { return duplex_->unsent(); }
    Result<void> flush() { return duplex_->send(); }

    void send(std::string_view message);
    // Tells the server that there is nothing more to say.
    void close();

    // Reads what has come; the messages are then taken one by one.
    Result<void> receive();
    std::optional<std::string> next();
    // The server has closed, or the connection has ended; messages may still be there.
    [[nodiscard]] bool is_over() const { return is_over_; }

  private:
    void append_frame(unsigned char kind, std::string_view payload);
    bool take_frame();

    std::unique_ptr<Duplex> duplex_;
    std::string in_;
    std::size_t used_ = 0;  // of it
    std::string message_;   // of several frames
    std::string ready_;
    bool has_ready_ = false;
    bool is_over_ = false;
    bool is_closed_ = false;  // we have said so
};

}  // namespace keelson::cli::streams
