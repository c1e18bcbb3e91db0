// The system calls that a container may use.
#ifndef KEELSON_OCI_SECCOMP_H
#define KEELSON_OCI_SECCOMP_H

#include <set>
#include <string>

#include "keelson/document.hpp"

namespace keelson::oci {

// The profile that runtimes have as their default, as linux.seccomp of an OCI configuration; what a
// capability allows, it allows to those that have it ("CAP_SYS_ADMIN").
[[nodiscard]] Json default_seccomp(const std::set<std::string>& capabilities);

}  // namespace keelson::oci

#endif
