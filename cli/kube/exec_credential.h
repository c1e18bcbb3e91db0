// Credential plugins of a kubeconfig (client.authentication.k8s.io): a program that prints a token or a
// certificate.
#pragma once

#include "cli/http.h"
#include "cli/kube/object.h"
#include "cli/result.h"

namespace keelson::cli::kube {

// `exec` is the user's entry of that name. What the program says is put into the server.
Result<void> run_exec_credential(const Object& exec, Server& server);

}  // namespace keelson::cli::kube
