// Who joins a cluster shows a bootstrap token: "abcdef.0123456789abcdef"
// (https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "kernel/access/authentication.h"
#include "kernel/base/clock.h"
#include "kernel/resource/lookup.h"

namespace keelson::resource {

struct BootstrapToken {
    std::string id;      // six of [a-z0-9]
    std::string secret;  // sixteen of [a-z0-9]
};
[[nodiscard]] std::optional<BootstrapToken> parse_bootstrap_token(std::string_view text);

// A Secret bootstrap-token-ID of the type bootstrap.kubernetes.io/token in kube-system lets the token in as
// system:bootstrap:ID, in system:bootstrappers and the groups that it names, until it expires. Looks every
// time. No opinion about tokens that no such Secret speaks for.
class BootstrapTokenAuthenticator final : public access::Authenticator {
  public:
    BootstrapTokenAuthenticator(const Lookup& lookup, const base::Clock& clock)
        : lookup_(lookup), clock_(clock) {}

    base::Task<Answer> authenticate(const access::Credentials& credentials) override;

  private:
    [[nodiscard]] Answer check(const BootstrapToken& token) const;

    const Lookup& lookup_;
    const base::Clock& clock_;
};

}  // namespace keelson::resource
