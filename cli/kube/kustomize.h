// Kustomizations, as the program that defines them builds them.
#pragma once

#include <string>

#include "cli/result.h"

namespace keelson::cli::kube {

// The objects of the kustomization in a directory or at a URL, as YAML: what `kustomize build`, or else
// `kubectl kustomize`, prints. Fails without words when that program has said why, and says what to install
// when there is neither.
Result<std::string> build_kustomization(const std::string& directory);

}  // namespace keelson::cli::kube
