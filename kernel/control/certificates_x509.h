// Certificate requests and certificates as a signer sees them; made and read with OpenSSL. PEM texts. Pure
// but for randomness; any thread.
#pragma once

#include <string>
#include <vector>

#include "kernel/base/clock.h"
#include "kernel/base/result.h"

namespace keelson::control {

// Who signs.
struct CertificateAuthority {
    std::string certificate;
    std::string key;
};

// What a certificate request says of who it is for.
struct RequestFacts {
    std::string common_name;
    std::vector<std::string> organizations;
    std::vector<std::string> dns_names;
    std::vector<std::string> addresses;  // in their usual text form
    bool has_other_names = false;        // e-mail addresses, URIs and the like
};
// Fails when it is no request, or when it is not signed with its own key.
[[nodiscard]] base::Result<RequestFacts> read_request(const std::string& request);

struct SigningTerms {
    std::vector<std::string>
        usages;  // of "digital signature", "key encipherment", "client auth", "server auth"
    base::WallTime not_before;
    base::WallTime not_after;  // never later than the authority's own end
};
// A certificate for the key, subject and alternative names of the request.
[[nodiscard]] base::Result<std::string> sign_request(const CertificateAuthority& authority,
                                                     const std::string& request, const SigningTerms& terms);
[[nodiscard]] base::Result<base::WallTime> end_of_certificate(const std::string& certificate);

}  // namespace keelson::control
