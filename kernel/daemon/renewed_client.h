// A client whose credentials change while it is used: each call goes to the newest, what is under way ends
// with the one it began with. Thread-safe.
#pragma once

#include <memory>
#include <mutex>

#include "kernel/client/client.h"

namespace keelson::daemon {

class RenewedClient final : public client::Client {
  public:
    explicit RenewedClient(std::unique_ptr<client::Client> first) : present_(std::move(first)) {}
    void renew(std::unique_ptr<client::Client> next);

    base::Task<Object> get(client::Address address) override;
    base::Task<base::Result<client::Page>> list(client::Address address,
                                                client::ListOptions options) override;
    base::Task<base::Result<std::unique_ptr<client::Watch>>> watch(client::Address address,
                                                                   client::ListOptions options) override;
    base::Task<Object> create(client::Address address, object::Value object,
                              client::WriteOptions options) override;
    base::Task<Object> update(client::Address address, object::Value object,
                              client::WriteOptions options) override;
    base::Task<Object> patch(client::Address address, client::PatchType type, object::Value patch,
                             client::WriteOptions options) override;
    base::Task<Object> remove(client::Address address, client::DeleteOptions options) override;

  private:
    [[nodiscard]] std::shared_ptr<client::Client> present();

    std::mutex mutex_;
    std::shared_ptr<client::Client> present_;
};

}  // namespace keelson::daemon
