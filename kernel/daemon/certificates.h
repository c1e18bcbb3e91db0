// Keys and certificates: ECDSA P-256, made with OpenSSL, as PEM texts. Pure but for randomness; any thread.
#pragma once

#include <string>
#include <vector>

#include "kernel/base/clock.h"
#include "kernel/base/result.h"
#include "kernel/base/sha256.h"

namespace keelson::daemon {

struct KeyAndCertificate {
    std::string key;          // PEM, PKCS#8
    std::string certificate;  // PEM
};

struct CertificateRequest {
    std::string common_name;
    std::vector<std::string> organizations;
    std::vector<std::string> names;  // DNS names and IP addresses for the subjectAltName
    bool for_server = false;         // extended key usage: server
    bool for_client = false;         // extended key usage: client
    base::WallTime not_before;
    base::WallTime not_after;
};

// A self-signed CA; `existing_key`, when not empty, is signed again.
[[nodiscard]] base::Result<KeyAndCertificate> make_authority(const std::string& common_name,
                                                             base::WallTime not_before,
                                                             base::WallTime not_after,
                                                             const std::string& existing_key = {});
// A fresh key with a certificate from the authority. Never valid longer than the authority itself.
[[nodiscard]] base::Result<KeyAndCertificate> issue(const KeyAndCertificate& authority,
                                                    const CertificateRequest& request);
[[nodiscard]] base::Result<std::string> make_private_key();
[[nodiscard]] base::Result<std::string> public_key_of(const std::string& private_key);

// A certificate signing request (PEM, PKCS#10) for the key; names and addresses go into the subjectAltName.
[[nodiscard]] base::Result<std::string> make_signing_request(const std::string& private_key,
                                                             const std::string& common_name,
                                                             const std::vector<std::string>& organizations,
                                                             const std::vector<std::string>& names = {});
// "sha256:" and the hash of the certificate's public key (its SubjectPublicKeyInfo) in hex, as kubeadm has
// it.
[[nodiscard]] base::Result<std::string> public_key_hash(const std::string& certificate);

struct CertificateFacts {
    std::string common_name;
    std::vector<std::string> organizations;
    std::vector<std::string> names;  // sorted; addresses in their usual text form
    base::WallTime not_before;
    base::WallTime not_after;
};
[[nodiscard]] base::Result<CertificateFacts> read_certificate(const std::string& certificate);
// SHA-256 of the DER form.
[[nodiscard]] base::Result<base::Sha256Digest> fingerprint_of(const std::string& certificate);
// Whether the authority signed the certificate and the key belongs to it.
[[nodiscard]] bool belong_together(const std::string& authority_certificate, const KeyAndCertificate& pair);
// The same DNS name or IP address however it is written ("::0:1" becomes "::1").
[[nodiscard]] std::string normal_name(const std::string& name);

}  // namespace keelson::daemon
