// --raw: a path of the server that is asked as it is.
#pragma once

#include <string>

#include "cli/result.h"

namespace keelson::cli::kube {

inline Result<void> check_raw_path(const std::string& path) {
    if (path.starts_with('/') || path.starts_with("http://") || path.starts_with("https://")) return {};
    return fail("--raw must be a valid URL path: parse \"" + path + "\": invalid URI for request");
}

}  // namespace keelson::cli::kube
