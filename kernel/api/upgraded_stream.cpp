#include "kernel/api/upgraded_stream.h"

#include "kernel/api/connection.h"
#include "kernel/api/http_exchange.h"

namespace keelson::api {

IoLoop& UpgradedStream::loop() {
    return connection_.worker().loop;
}

base::Task<std::string_view> UpgradedStream::read() {
    return connection_.read_upgraded();
}

base::Task<bool> UpgradedStream::write(std::string_view data) {
    auto acquiring = writing_.acquire();
    const plugin::AsyncLock::Hold turn = co_await acquiring;
    auto writing = connection_.write_all(data);
    co_return co_await writing;
}

void UpgradedStream::on_lost(std::function<void()> callback) {
    exchange_.on_close(std::move(callback));
}

void UpgradedStream::end_reading() {
    connection_.end_upgraded_reading();
}

}  // namespace keelson::api
