// Switches below /proc/sys/net, of the network namespace that the calling thread is in.
#ifndef KEELSON_STACK_SYSCTL_H
#define KEELSON_STACK_SYSCTL_H

#include <optional>
#include <string>

namespace keelson::stack {

// name: "ipv4/ip_forward". None when this kernel has none of that name.
std::optional<std::string> read_sysctl(const std::string& name);
// False when this kernel has none of that name; throws when it cannot be written. What is set already is
// left.
bool set_sysctl(const std::string& name, const std::string& value);

}  // namespace keelson::stack

#endif
