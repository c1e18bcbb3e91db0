// Who a container's process is: numbers, from what the request and the image say and from the image's own
// passwd and group files.
#ifndef KEELSON_OCI_USERS_H
#define KEELSON_OCI_USERS_H

#include <cstdint>
#include <string>
#include <vector>

#include "keelson/runtime.hpp"

namespace keelson::oci {

struct User {
    std::uint32_t user = 0;
    std::uint32_t group = 0;
    std::vector<std::uint32_t> groups;  // the supplemental ones
    std::string home = "/";
};

// `root` is the container's root directory; links in it cannot lead out of it. Throws Code::invalid for names
// that it does not have, and what system_error() says when its files cannot be read.
[[nodiscard]] User resolve_user(const runtime::Security& security, const std::string& image_user, int root);

}  // namespace keelson::oci

#endif
