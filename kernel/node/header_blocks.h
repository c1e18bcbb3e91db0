// Header blocks of HTTP/2 (HPACK, RFC 7541) as far as a small client needs them: it writes literals only, and
// reads what a server sends that was told to keep no table of its own.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "kernel/base/result.h"

namespace keelson::node {

void append_header(std::string& block, std::string_view name, std::string_view value);

// The fields whose names are written out; those that the static table names are left out.
[[nodiscard]] base::Result<std::map<std::string, std::string>> read_headers(std::string_view block);

}  // namespace keelson::node
