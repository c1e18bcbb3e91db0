// The Secrets that bootstrap tokens are kept in, as the controllers read them.
#pragma once

#include <string>
#include <string_view>

#include "kernel/control/controller.h"
#include "kernel/object/accessors/core_v1.h"

namespace keelson::control {

inline constexpr std::string_view bootstrap_token_namespace = "kube-system";
inline constexpr std::string_view bootstrap_token_type = "bootstrap.kubernetes.io/token";

// Whether an object of that name may be one: the name says it.
[[nodiscard]] bool is_bootstrap_token_key(const ObjectKey& key);
// The decoded text of a member; empty when there is none.
[[nodiscard]] std::string token_datum(api_types::core_v1::Secret secret, std::string_view name);
// When it expires; the end of time when it does not. One whose time cannot be read has expired.
[[nodiscard]] base::WallTime end_of_token(api_types::core_v1::Secret secret);

}  // namespace keelson::control
