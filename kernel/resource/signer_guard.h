// Who approves or signs a certificate request needs the right to do so for its signer, not only the right to
// write the request
// (https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/#authorization).
#pragma once

#include "kernel/access/authorization.h"
#include "kernel/base/task.h"
#include "kernel/object/value.h"
#include "kernel/resource/call.h"

namespace keelson::resource {

// Thread-safe.
class SignerGuard {
  public:
    // The authorization outlives it.
    explicit SignerGuard(const access::Authorization& authorization) : authorization_(authorization) {}

    // Whether the call writes something that is judged here.
    [[nodiscard]] static bool concerns(const Call& call);
    // Judges the request that the call is going to write. Fails with forbidden.
    base::Task<base::Result<void>> check(const Call& call, object::Value object, object::Value old) const;

  private:
    base::Task<bool> may(const Call& call, std::string verb, std::string signer) const;

    const access::Authorization& authorization_;
};

}  // namespace keelson::resource
