// CertificateSigningRequests: who gets a certificate without being asked twice, the signing, and the cleaning
// up.
#pragma once

#include <memory>

#include "kernel/control/certificates_x509.h"
#include "kernel/control/controller.h"

namespace keelson::control {

// Approves a node's client certificate for who bootstraps it and for the node itself, and a node's serving
// certificate for the node itself as far as its names and addresses are those of its Node. Others are left to
// people.
[[nodiscard]] std::unique_ptr<Controller> make_certificate_approving_controller(
    const Surroundings& surroundings);
// Signs what is approved for Kubernetes' signers kube-apiserver-client, kube-apiserver-client-kubelet and
// kubelet-serving; for a year, or as long as the request says when that is less.
[[nodiscard]] std::unique_ptr<Controller> make_certificate_signing_controller(
    const Surroundings& surroundings, CertificateAuthority authority);
// Removes requests that nobody waits for any more.
[[nodiscard]] std::unique_ptr<Controller> make_certificate_cleaning_controller(
    const Surroundings& surroundings);

}  // namespace keelson::control
