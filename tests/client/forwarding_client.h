// A client that passes everything on to another one; what a test wants to be different it overrides.
#pragma once

#include <memory>
#include <utility>

#include "kernel/client/client.h"

namespace keelson::client {

class ForwardingClient : public Client {
  public:
    // Must outlive it.
    explicit ForwardingClient(Client& real) : real_(real) {}

    base::Task<Object> get(Address address) override { return real_.get(std::move(address)); }
    base::Task<base::Result<Page>> list(Address address, ListOptions options) override {
        return real_.list(std::move(address), std::move(options));
    }
    base::Task<base::Result<std::unique_ptr<Watch>>> watch(Address address, ListOptions options) override {
        return real_.watch(std::move(address), std::move(options));
    }
    base::Task<Object> create(Address address, object::Value object, WriteOptions options) override {
        return real_.create(std::move(address), object, std::move(options));
    }
    base::Task<Object> update(Address address, object::Value object, WriteOptions options) override {
        return real_.update(std::move(address), object, std::move(options));
    }
    base::Task<Object> patch(Address address, PatchType type, object::Value patch,
                             WriteOptions options) override {
        return real_.patch(std::move(address), type, patch, std::move(options));
    }
    base::Task<Object> remove(Address address, DeleteOptions options) override {
        return real_.remove(std::move(address), std::move(options));
    }

  protected:
    Client& real_;
};

}  // namespace keelson::client
