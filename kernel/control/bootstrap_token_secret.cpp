#include "kernel/control/bootstrap_token_secret.h"

#include "kernel/base/base64.h"
#include "kernel/object/time_format.h"

namespace keelson::control {

bool is_bootstrap_token_key(const ObjectKey& key) {
    return key.namespace_name == bootstrap_token_namespace && key.name.starts_with("bootstrap-token-");
}

std::string token_datum(api_types::core_v1::Secret secret, std::string_view name) {
    auto decoded = base::base64_decode(secret.data()[name]);
    return decoded ? std::move(*decoded) : std::string();
}

base::WallTime end_of_token(api_types::core_v1::Secret secret) {
    const std::string text = token_datum(secret, "expiration");
    if (text.empty()) return base::WallTime::max();
    const auto time = object::parse_time(text);
    return time ? object::wall_time_of(*time) : base::WallTime::min();
}

}  // namespace keelson::control
