// What a registry wants to know before it answers: WWW-Authenticate, Basic and Bearer.
#ifndef KEELSON_OCI_REGISTRY_AUTHORIZATION_H
#define KEELSON_OCI_REGISTRY_AUTHORIZATION_H

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "http.h"
#include "keelson/runtime.hpp"

namespace keelson::oci {

struct Challenge {
    std::string scheme;  // in lower case
    std::map<std::string, std::string> parameters;
};

// The challenges of one header; what cannot be read is left out.
[[nodiscard]] std::vector<Challenge> parse_challenges(const std::string& header);

// How to speak TLS with a host ("auth.example:5000").
using TlsFor = std::function<TlsSettings(const std::string& host)>;

// The Authorization header that answers one of the challenges; nothing when these credentials cannot, or the
// token service does not want them. Empty credentials are anonymous. A token service is asked over TLS unless
// the registry itself is plain.
[[nodiscard]] std::optional<std::string> authorize(const std::vector<Challenge>& challenges,
                                                   const images::Credentials& credentials,
                                                   const std::string& repository, const Url& refused,
                                                   const TlsFor& tls_for, HttpClient& client);

}  // namespace keelson::oci

#endif
