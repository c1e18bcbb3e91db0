// Credentials of registries from Secrets of the types kubernetes.io/dockerconfigjson and /dockercfg.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kernel/node/runtime.h"

namespace keelson::node {

// Those in the document that are meant for the image's registry, the most specific first. `image` is a full
// name: "registry.example:5000/team/app:1". A document that is none gives nothing.
[[nodiscard]] std::vector<Credentials> credentials_in(std::string_view docker_config_json,
                                                      std::string_view image);

}  // namespace keelson::node
