#include "tests/sim/mutations.h"

#include <utility>

#include "tests/client/forwarding_client.h"

namespace keelson::sim {
namespace {

using base::Result;
using base::Task;
using client::Address;
using client::ForwardingClient;
using client::WatchEvent;
using object::Value;

class IgnoresPreconditions final : public ForwardingClient {
  public:
    using ForwardingClient::ForwardingClient;
    Task<Object> remove(Address address, client::DeleteOptions options) override {
        options.preconditions = {};
        return real_.remove(std::move(address), std::move(options));
    }
};

void let_all_be_unavailable(Value deployment, object::Arena& arena) {
    const Value rolling = deployment.path({"spec", "strategy", "rollingUpdate"});
    if (rolling.is_map()) rolling.set(arena, "maxUnavailable", Value::reference("100%"));
}

class RewritingWatch final : public client::Watch {
  public:
    explicit RewritingWatch(std::unique_ptr<client::Watch> real) : real_(std::move(real)) {}
    Task<Result<std::vector<WatchEvent>>> next() override {
        auto waiting = real_->next();
        Result<std::vector<WatchEvent>> events = co_await waiting;
        if (events)
            for (WatchEvent& event : *events) let_all_be_unavailable(event.object.root, event.object.arena);
        co_return events;
    }
    void stop() override { real_->stop(); }

  private:
    std::unique_ptr<client::Watch> real_;
};

class IgnoresMaxUnavailable final : public ForwardingClient {
  public:
    using ForwardingClient::ForwardingClient;
    Task<Result<client::Page>> list(Address address, client::ListOptions options) override {
        const bool is_mutated = address.resource == "deployments";
        auto listing = real_.list(std::move(address), std::move(options));
        Result<client::Page> page = co_await listing;
        if (page && is_mutated)
            for (const Value item : page->items) let_all_be_unavailable(item, page->arena);
        co_return page;
    }
    Task<Result<std::unique_ptr<client::Watch>>> watch(Address address,
                                                       client::ListOptions options) override {
        const bool is_mutated = address.resource == "deployments";
        auto opening = real_.watch(std::move(address), std::move(options));
        Result<std::unique_ptr<client::Watch>> opened = co_await opening;
        if (!opened) co_return std::move(opened).error();
        std::unique_ptr<client::Watch> watch = std::move(*opened);
        if (is_mutated) watch = std::make_unique<RewritingWatch>(std::move(watch));
        co_return watch;
    }
};

class FailsBindings final : public ForwardingClient {
  public:
    using ForwardingClient::ForwardingClient;
    Task<Object> create(Address address, Value object, client::WriteOptions options) override {
        const bool is_binding = address.subresource == "binding";
        auto creating = real_.create(std::move(address), object, std::move(options));
        Object created = co_await creating;
        if (created && is_binding)
            co_return base::Status(base::Reason::internal_error, "mutation: forgets what it assumed");
        co_return created;
    }
};

class ForgetsRevisions final : public ForwardingClient {
  public:
    using ForwardingClient::ForwardingClient;
    Task<Object> create(Address address, Value object, client::WriteOptions options) override {
        auto creating = real_.create(std::move(address), object, std::move(options));
        Object created = co_await creating;
        if (created) created->root["metadata"].set(created->arena, "resourceVersion", Value::reference("1"));
        co_return created;
    }
    Task<Object> update(Address address, Value object, client::WriteOptions options) override {
        auto updating = real_.update(std::move(address), object, std::move(options));
        Object updated = co_await updating;
        if (updated) updated->root["metadata"].set(updated->arena, "resourceVersion", Value::reference("1"));
        co_return updated;
    }
};

template <typename Mutation>
Wrapper wrapper_of() {
    return [](client::Client& real, Dice&) -> std::unique_ptr<client::Client> {
        return std::make_unique<Mutation>(real);
    };
}

}  // namespace

Wrapper without_preconditions() {
    return wrapper_of<IgnoresPreconditions>();
}
Wrapper without_max_unavailable() {
    return wrapper_of<IgnoresMaxUnavailable>();
}
Wrapper without_assumed_pods() {
    return wrapper_of<FailsBindings>();
}
Wrapper without_read_your_writes() {
    return wrapper_of<ForgetsRevisions>();
}

}  // namespace keelson::sim
