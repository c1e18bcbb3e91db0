// What others need to verify the tokens of ServiceAccounts: /.well-known/openid-configuration and
// /openid/v1/jwks, as kube-apiserver serves them.
#pragma once

#include <string>

#include "kernel/access/token_issuer.h"
#include "kernel/api/exchange.h"

namespace keelson::api {

class OpenIdHandler {
  public:
    // keys_url: where the key set is found from outside, "https://192.0.2.1:6443/openid/v1/jwks". The issuer
    // outlives this.
    OpenIdHandler(access::TokenIssuer& issuer, std::string keys_url)
        : issuer_(issuer), keys_url_(std::move(keys_url)) {}

    [[nodiscard]] static bool handles(const Request& request);
    // For requests that it handles. Without an issuer the paths do not exist (404).
    base::Task<void> handle(Exchange& exchange) const;

  private:
    access::TokenIssuer& issuer_;
    std::string keys_url_;
};

}  // namespace keelson::api
