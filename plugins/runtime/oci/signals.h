// Signals by name.
#ifndef KEELSON_OCI_SIGNALS_H
#define KEELSON_OCI_SIGNALS_H

#include <string>

namespace keelson::oci {

// "SIGTERM", "TERM", "SIGRTMIN+3", "15"; empty: SIGTERM. Throws Code::invalid for others.
[[nodiscard]] int signal_number(const std::string& text);

}  // namespace keelson::oci

#endif
