// One ECDSA key on P-256 (ES256 of RFC 7518). Throws keelson::Error. Immutable; any thread.
#ifndef KEELSON_SIGNING_KEY_H
#define KEELSON_SIGNING_KEY_H

#include <openssl/evp.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

class SigningKey {
  public:
    static SigningKey make();
    static SigningKey from_private_pem(const std::string& pem);
    static SigningKey from_public_pem(const std::string& pem);

    // The base64url SHA-256 of the public key's DER form, as Kubernetes names keys.
    [[nodiscard]] const std::string& id() const { return id_; }
    [[nodiscard]] std::string private_pem() const;
    [[nodiscard]] std::string public_pem() const;
    // RFC 7517, in the fields that Kubernetes publishes.
    [[nodiscard]] nlohmann::json web_key() const;

    // 64 bytes: r and s.
    [[nodiscard]] std::string sign(std::string_view text) const;
    [[nodiscard]] bool verifies(std::string_view text, std::string_view signature) const;

  private:
    struct Free {
        void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
    };
    using Key = std::unique_ptr<EVP_PKEY, Free>;
    explicit SigningKey(Key key);

    Key key_;
    std::string public_der_;
    std::string id_;
};

#endif
