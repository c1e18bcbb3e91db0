// The cluster's own credentials, kept in the data directory: the CA, the server's and the admin's
// certificates, the key that signs service account tokens, the admin's token and kubeconfig. What is missing
// is made, what is about to expire is made again; a private key never leaves a file of mode 0600. Calls block
// (files).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernel/base/clock.h"
#include "kernel/base/ids.h"
#include "kernel/base/result.h"
#include "kernel/daemon/certificates.h"

namespace keelson::daemon {

struct CredentialOptions {
    std::string directory;                  // the data directory
    std::vector<std::string> server_names;  // beyond the usual ones
    std::uint16_t api_port = 0;
    base::Duration authority_lifetime = std::chrono::days(3650);
    base::Duration leaf_lifetime = std::chrono::days(365);
};

struct Credentials {
    KeyAndCertificate authority;
    KeyAndCertificate server;
    KeyAndCertificate admin;
    std::string service_account_key;         // PEM, private
    std::string service_account_public_key;  // PEM
    std::string admin_token;
    base::WallTime renew_at;      // when ensure_credentials() has something to do again
    bool server_changed = false;  // by this call
};

// Every name and address that the server certificate is valid for, sorted.
[[nodiscard]] std::vector<std::string> server_certificate_names(const std::vector<std::string>& further);

// Reads what is there, makes what is missing, expired or due for renewal (a third of its life is left), or
// issued for other names; then admin.kubeconfig is brought up to date. A file that is there but unreadable is
// a failure: keys are never overwritten because of it.
[[nodiscard]] base::Result<Credentials> ensure_credentials(
    const CredentialOptions& options, const base::Clock& clock,
    base::RandomSource& random = base::system_random());

}  // namespace keelson::daemon
