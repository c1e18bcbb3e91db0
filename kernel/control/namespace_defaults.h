// What every namespace gets: the ServiceAccount "default", and the certificate that the API server is trusted
// by.
#pragma once

#include <string>

#include "kernel/control/controller.h"

namespace keelson::control {

[[nodiscard]] std::unique_ptr<Controller> make_service_account_controller(const Surroundings& surroundings);
// `certificates`: PEM, what goes into the ConfigMap kube-root-ca.crt of each namespace.
[[nodiscard]] std::unique_ptr<Controller> make_root_certificate_controller(const Surroundings& surroundings,
                                                                           std::string certificates);

}  // namespace keelson::control
