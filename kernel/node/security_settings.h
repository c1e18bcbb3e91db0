// The security of a container: what its own securityContext says over what the pod's says.
#pragma once

#include <string>
#include <string_view>

#include "kernel/base/result.h"
#include "kernel/node/runtime.h"
#include "kernel/object/accessors/core_v1.h"

namespace keelson::node {

// `image_user`: "", "1000", "1000:100" or "nobody", as the image says. Fails when runAsNonRoot forbids the
// user, in Kubernetes' words.
[[nodiscard]] base::Result<Security> security_of(api_types::core_v1::Pod pod,
                                                 api_types::core_v1::Container container,
                                                 std::string_view image_user,
                                                 const std::string& seccomp_directory);

}  // namespace keelson::node
