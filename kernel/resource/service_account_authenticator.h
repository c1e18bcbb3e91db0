// Whether the ServiceAccount behind a token is still there, and what the token is bound to: the part of
// Kubernetes' service account token validation (pkg/serviceaccount/claims.go) that needs objects.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "kernel/access/authentication.h"
#include "kernel/base/clock.h"
#include "kernel/resource/lookup.h"

namespace keelson::resource {

// What authenticators say about a token in Identity.extra.
inline constexpr std::string_view pod_name_extra = "authentication.kubernetes.io/pod-name";
inline constexpr std::string_view pod_uid_extra = "authentication.kubernetes.io/pod-uid";
inline constexpr std::string_view node_name_extra = "authentication.kubernetes.io/node-name";
inline constexpr std::string_view node_uid_extra = "authentication.kubernetes.io/node-uid";
// Kubernetes shows no Secret there: these two are taken out before anybody else sees the identity.
inline constexpr std::string_view secret_name_extra = "authentication.keelson.dev/secret-name";
inline constexpr std::string_view secret_uid_extra = "authentication.keelson.dev/secret-uid";

// Asks another authenticator. Who comes out as a ServiceAccount passes only while the account exists with the
// same uid and the Pod, Secret or Node that the token is bound to does too; a deletion that began a minute
// ago counts as done. Stands outside of any cache of verdicts: it looks every time.
class ServiceAccountAuthenticator final : public access::Authenticator {
  public:
    ServiceAccountAuthenticator(std::shared_ptr<access::Authenticator> inner, const Lookup& lookup,
                                const base::Clock& clock)
        : inner_(std::move(inner)), lookup_(lookup), clock_(clock) {}

    base::Task<Answer> authenticate(const access::Credentials& credentials) override;

  private:
    struct Wanted;
    base::Result<void> check(access::Identity& identity) const;
    base::Result<void> check_account(std::string_view space, std::string_view name,
                                     std::string_view uid) const;
    base::Result<void> check_bound(const Wanted& wanted) const;

    std::shared_ptr<access::Authenticator> inner_;
    const Lookup& lookup_;
    const base::Clock& clock_;
};

}  // namespace keelson::resource
