// Who is it? A chain of authenticators, asked in order, as Kubernetes' union authenticator.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/access/identity.h"
#include "kernel/base/result.h"
#include "kernel/base/sha256.h"
#include "kernel/base/task.h"

namespace keelson::access {

// A certificate that the transport has checked against the cluster's client CAs, or found wanting.
struct ClientCertificate {
    bool verified = false;
    std::string verify_error;
    std::string common_name;
    std::vector<std::string> organizations;
    std::string uid;
    base::Sha256Digest sha256{};
    std::shared_ptr<const std::string> der = {};  // null: not kept
};

// What a caller shows. Both may be absent.
struct Credentials {
    std::string bearer_token;
    std::optional<ClientCertificate> certificate;
    // For whom a token must be meant; empty: for the API server.
    std::vector<std::string> audiences = {};
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

// Certificates that the kernel issued itself, by the sums of their DER forms: they log in whatever plugins
// do. No opinion about others.
class OwnCertificateAuthenticator : public Authenticator {
  public:
    base::Task<Answer> authenticate(const Credentials& credentials) override;
    // Replaces all fingerprints at once.
    void set_fingerprints(std::vector<base::Sha256Digest> fingerprints);

  private:
    std::mutex mutex_;
    std::vector<base::Sha256Digest> fingerprints_;
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
    std::mutex mutex_;
    std::map<base::Sha256Digest, Identity> identities_;
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
    // The names under which tokens for the API server are issued. Empty: audiences are not looked at.
    void set_audiences(std::vector<std::string> audiences) { audiences_ = std::move(audiences); }

    base::Task<base::Result<Identity>> authenticate(Credentials credentials) const;
    // For TokenReview: fails with "invalid bearer token" (unauthorized) when nobody knows the token, and when
    // it is meant for none of the audiences (empty: the API server's). The identity's audiences are those of
    // the wanted ones that the token is good for.
    base::Task<base::Result<Identity>> authenticate_token(std::string token,
                                                          std::vector<std::string> audiences = {}) const;

  private:
    // Set up before the first request, constant afterwards.
    std::vector<std::shared_ptr<Authenticator>> chain_;
    std::vector<std::string> audiences_;
    bool anonymous_allowed_ = true;
};

}  // namespace keelson::access
