// A connection after "101 Switching Protocols". Internal to the room.
#pragma once

#include "kernel/api/byte_stream.h"
#include "kernel/plugin/async_lock.h"

namespace keelson::api {

class Connection;
class HttpExchange;

class UpgradedStream final : public ByteStream {
  public:
    UpgradedStream(Connection& connection, HttpExchange& exchange)
        : connection_(connection), exchange_(exchange) {}

    [[nodiscard]] IoLoop& loop() override;
    base::Task<std::string_view> read() override;
    base::Task<bool> write(std::string_view data) override;
    void end_reading() override;
    void on_lost(std::function<void()> callback) override;

  private:
    Connection& connection_;
    HttpExchange& exchange_;
    plugin::AsyncLock writing_;
};

}  // namespace keelson::api
