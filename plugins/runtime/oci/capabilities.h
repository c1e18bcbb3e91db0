// Capabilities of a container's processes.
#ifndef KEELSON_OCI_CAPABILITIES_H
#define KEELSON_OCI_CAPABILITIES_H

#include <set>
#include <string>

#include "keelson/runtime.hpp"

namespace keelson::oci {

// What this process may give away: not all of root's everywhere.
[[nodiscard]] const std::set<std::string>& own_capabilities();

// "CAP_CHOWN"...; only those that can be given. Throws Code::invalid for names that do not exist.
[[nodiscard]] std::set<std::string> capabilities_for(const runtime::Security& security);

}  // namespace keelson::oci

#endif
