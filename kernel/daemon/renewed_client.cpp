#include "kernel/daemon/renewed_client.h"

#include <utility>

namespace keelson::daemon {
namespace {

using base::Result;
using base::Task;

// Keeps the client that it came from.
class HeldWatch final : public client::Watch {
  public:
    HeldWatch(std::shared_ptr<client::Client> client, std::unique_ptr<client::Watch> watch)
        : client_(std::move(client)), watch_(std::move(watch)) {}
    Task<Result<std::vector<client::WatchEvent>>> next() override { return watch_->next(); }
    void stop() override { watch_->stop(); }

  private:
    std::shared_ptr<client::Client> client_;
    std::unique_ptr<client::Watch> watch_;
};

// The client lives as long as its call.
template <typename T>
Task<T> hold([[maybe_unused]] std::shared_ptr<client::Client> client, Task<T> call) {
    T result = co_await call;
    co_return result;
}

}  // namespace

void RenewedClient::renew(std::unique_ptr<client::Client> next) {
    std::shared_ptr<client::Client> old = std::move(next);
    const std::lock_guard lock(mutex_);
    present_.swap(old);
}

std::shared_ptr<client::Client> RenewedClient::present() {
    const std::lock_guard lock(mutex_);
    return present_;
}

Task<client::Client::Object> RenewedClient::get(client::Address address) {
    auto client = present();
    auto call = client->get(std::move(address));
    return hold(std::move(client), std::move(call));
}

Task<Result<client::Page>> RenewedClient::list(client::Address address, client::ListOptions options) {
    auto client = present();
    auto call = client->list(std::move(address), std::move(options));
    return hold(std::move(client), std::move(call));
}

Task<Result<std::unique_ptr<client::Watch>>> RenewedClient::watch(client::Address address,
                                                                  client::ListOptions options) {
    auto client = present();
    auto call = client->watch(std::move(address), std::move(options));
    KEELSON_CO_TRY(std::unique_ptr<client::Watch> watch, co_await call);
    std::unique_ptr<client::Watch> held = std::make_unique<HeldWatch>(std::move(client), std::move(watch));
    co_return held;
}

Task<client::Client::Object> RenewedClient::create(client::Address address, object::Value object,
                                                   client::WriteOptions options) {
    auto client = present();
    auto call = client->create(std::move(address), object, std::move(options));
    return hold(std::move(client), std::move(call));
}

Task<client::Client::Object> RenewedClient::update(client::Address address, object::Value object,
                                                   client::WriteOptions options) {
    auto client = present();
    auto call = client->update(std::move(address), object, std::move(options));
    return hold(std::move(client), std::move(call));
}

Task<client::Client::Object> RenewedClient::patch(client::Address address, client::PatchType type,
                                                  object::Value patch, client::WriteOptions options) {
    auto client = present();
    auto call = client->patch(std::move(address), type, patch, std::move(options));
    return hold(std::move(client), std::move(call));
}

Task<client::Client::Object> RenewedClient::remove(client::Address address, client::DeleteOptions options) {
    auto client = present();
    auto call = client->remove(std::move(address), std::move(options));
    return hold(std::move(client), std::move(call));
}

}  // namespace keelson::daemon
