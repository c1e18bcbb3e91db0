// Who is it? A chain of authenticators, asked in order, as Kubernetes' union authenticator.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/access/identity.h"
#include "kernel/base/result.h"
#include "kernel/base/task.h"

namespace keelson::access {

// A certificate that the transport has checked against the cluster's client CAs, or found wanting.
struct ClientCertificate {
    bool verified = false;
    std::string verify_error;
    std::string common_name;
    std::vector<std::string> organizations;
    std::string uid;
    std::array<std::uint8_t, 32> sha256{};
};

// What a caller shows. Both may be absent.
struct Credentials {
    std::string bearer_token;
    std::optional<ClientCertificate> certificate;
};

// The token of an Authorization header; empty when it holds none.
[[nodiscard]] std::string bearer_token(std::string_view authorization_header);

// Thread-safe. An answer is: an identity (it is them), nothing (not my kind of credential, ask the next), or
// a failure (unauthorized: shown but not valid).
class Authenticator {
  public:
    using Answer = base::Result<std::optional<Identity>>;
    virtual ~Authenticator() = default;
    virtual base::Task<Answer> authenticate(const Credentials& credentials) = 0;
};

// Common name = user, organizations = groups.
class CertificateAuthenticator : public Authenticator {
  public:
    base::Task<Answer> authenticate(const Credentials& credentials) override;
};

// Fixed tokens. Only their hashes are kept.
class TokenAuthenticator : public Authenticator {
  public:
    struct Entry {
        std::string token;
        Identity identity;
    };
    base::Task<Answer> authenticate(const Credentials& credentials) override;
    // Replaces all tokens at once.
    void set_tokens(const std::vector<Entry>& entries);

  private:
    using Digest = std::array<std::uint8_t, 32>;
    std::mutex mutex_;
    std::map<Digest, Identity> identities_;
};

// The tokens of a file in Kubernetes' format: lines of token,user,uid[,"group1,group2"]; '#' starts no
// comment there, blank lines are skipped. Fails naming the line. No token appears in a message.
[[nodiscard]] base::Result<std::vector<TokenAuthenticator::Entry>> parse_token_file(std::string_view text);

// Asks the authenticators in order; the first identity wins and joins system:authenticated. Somebody who
// shows nothing is system:anonymous; somebody whose every credential was refused is unauthorized (401).
class Authentication {
  public:
    void add(std::shared_ptr<Authenticator> authenticator) { chain_.push_back(std::move(authenticator)); }
    void allow_anonymous(bool allowed) { anonymous_allowed_ = allowed; }

    base::Task<base::Result<Identity>> authenticate(Credentials credentials) const;
    // For TokenReview: fails with "invalid bearer token" (unauthorized) when nobody knows the token.
    base::Task<base::Result<Identity>> authenticate_token(std::string token) const;

  private:
    // Set up before the first request, constant afterwards.
    std::vector<std::shared_ptr<Authenticator>> chain_;
    bool anonymous_allowed_ = true;
};

}  // namespace keelson::access
