#include "kernel/control/bootstrap_token_secret.h"
#include "kernel/control/bootstrap_tokens.h"

namespace keelson::control {
namespace {

using api_types::core_v1::Secret;
using base::Result;
using base::Task;

// Secrets are read one by one: to hold all of a cluster's in memory for the sake of a few would be a waste.
class TokenCleaningController final : public Controller {
  public:
    explicit TokenCleaningController(const Surroundings& surroundings)
        : surroundings_(surroundings),
          secrets_(surroundings.informers.metadata_of(client::collections::secrets)) {}

    [[nodiscard]] std::string_view name() const override { return "token-cleaner"; }
    void watch(Queue& queue) override {
        secrets_.add_handler([&queue](const ObjectPointer&, const ObjectPointer& now) {
            if (now && is_bootstrap_token_key(now->key())) queue.add(now->key());
        });
    }

    Task<Result<Again>> reconcile(ObjectKey key, Writer& writer) override {
        const ObjectPointer known = secrets_.get(key);
        if (!known) co_return done();
        auto getting =
            surroundings_.client.get(client::collections::secrets.address(key.namespace_name, key.name));
        const client::Client::Object present = co_await getting;
        if (!present && present.error().code() == 404) co_return done();
        if (!present) co_return present.error();
        const Secret secret(present->root);
        if (secret.type() != bootstrap_token_type) co_return done();
        const base::WallTime end = end_of_token(secret);
        if (end == base::WallTime::max()) co_return done();
        const base::WallTime now = surroundings_.now();
        if (now < end) co_return again_after(end - now);
        auto removing = writer.remove(client::collections::secrets, known);
        const Result<void> removed = co_await removing;
        if (!removed && removed.error().code() != 404) co_return removed.error();
        co_return done();
    }

  private:
    const Surroundings& surroundings_;
    Informer& secrets_;
};

}  // namespace

std::unique_ptr<Controller> make_token_cleaning_controller(const Surroundings& surroundings) {
    return std::make_unique<TokenCleaningController>(surroundings);
}

}  // namespace keelson::control
