// Tokens for ServiceAccounts: who makes them, and what verifies them.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/access/plugin_authenticator.h"
#include "kernel/base/result.h"
#include "kernel/base/task.h"

namespace keelson::access {

inline constexpr std::string_view token_issuer_capability = "keelson.auth.token-issuer/0";

// What a token is to say. Everything in it has been checked.
struct TokenOrder {
    struct Object {
        std::string name;
        std::string uid;
    };
    struct BoundObject {
        std::string kind;  // "Pod", "Secret", "Node"
        std::string name;
        std::string uid;
    };
    std::string namespace_name;
    Object service_account;
    std::vector<std::string> audiences;
    std::int64_t expiration_seconds = 3600;
    std::int64_t warn_after_seconds = 0;      // a token used for longer is stale; 0: never
    std::optional<BoundObject> bound_object;  // the token ends with it
    std::optional<Object> node;               // that the bound pod runs on; its uid may be unknown (empty)
};

struct IssuedToken {
    std::string token;
    std::string expiration_timestamp;  // RFC 3339; may be earlier than what was asked for
};

struct IssuerKeys {
    std::string issuer;
    std::vector<std::string> algorithms;  // "ES256", sorted
    std::string key_set;                  // a JWK set: {"keys":[...]}
};

// Thread-safe.
class TokenIssuer {
  public:
    virtual ~TokenIssuer() = default;
    // Whether there is one at all now; the others fail with service_unavailable when not.
    [[nodiscard]] virtual bool available() const = 0;
    virtual base::Task<base::Result<IssuedToken>> issue(TokenOrder order) = 0;
    virtual base::Task<base::Result<IssuerKeys>> keys() = 0;
};

// The first plugin that has the capability keelson.auth.token-issuer/0.
class PluginTokenIssuer final : public TokenIssuer {
  public:
    explicit PluginTokenIssuer(PluginSource plugins) : plugins_(std::move(plugins)) {}

    [[nodiscard]] bool available() const override;
    base::Task<base::Result<IssuedToken>> issue(TokenOrder order) override;
    base::Task<base::Result<IssuerKeys>> keys() override;

  private:
    base::Task<base::Result<std::string>> call(std::string_view method, std::string request);

    PluginSource plugins_;
};

}  // namespace keelson::access
