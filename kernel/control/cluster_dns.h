// The cluster's DNS as pods see it: the Service kube-system/kube-dns, with an endpoint on each node that
// answers.
//
// A node with a DNS server says so with a label, whose value is the server's port. Each node's pods ask their
// own node (internalTrafficPolicy Local). Without such a node nothing is made.
#pragma once

#include <memory>
#include <string>

#include "kernel/control/controller.h"

namespace keelson::control {

// `address`: of the Service; empty: whichever is free.
[[nodiscard]] std::unique_ptr<Controller> make_cluster_dns_controller(const Surroundings& surroundings,
                                                                      std::string address);

}  // namespace keelson::control
