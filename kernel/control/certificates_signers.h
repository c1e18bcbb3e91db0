// The signers that are ours, and what each of them signs
// (https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/#kubernetes-signers).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "kernel/control/certificates_x509.h"
#include "kernel/control/controller.h"
#include "kernel/object/accessors/certificates_v1.h"

namespace keelson::control {

inline constexpr Collection certificate_requests{"certificates.k8s.io", "v1", "certificatesigningrequests"};

inline constexpr std::string_view api_client_signer = "kubernetes.io/kube-apiserver-client";
inline constexpr std::string_view node_client_signer = "kubernetes.io/kube-apiserver-client-kubelet";
inline constexpr std::string_view node_serving_signer = "kubernetes.io/kubelet-serving";

// The PEM text in spec.request.
[[nodiscard]] base::Result<std::string> request_text(
    api_types::certificates_v1::CertificateSigningRequestSpec spec);
// Fails, saying what is wrong, when the request is not one that its signer signs.
[[nodiscard]] base::Result<void> check_for_signer(
    api_types::certificates_v1::CertificateSigningRequestSpec spec, const RequestFacts& facts);

[[nodiscard]] bool has_condition(api_types::certificates_v1::CertificateSigningRequest request,
                                 std::string_view type);
void add_condition(api_types::certificates_v1::CertificateSigningRequest request, std::string_view type,
                   std::string_view reason, std::string_view message, base::WallTime now,
                   object::Arena& arena);

}  // namespace keelson::control
