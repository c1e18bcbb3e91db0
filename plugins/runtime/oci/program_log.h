// What the runtime's program has said about a failure.
#ifndef KEELSON_OCI_PROGRAM_LOG_H
#define KEELSON_OCI_PROGRAM_LOG_H

#include <cstdint>
#include <string>

#include "shim_client.h"

namespace keelson::oci {

// The last message of its log, which has a JSON document a line; without one, what its exit code says.
[[nodiscard]] std::string program_message(const std::string& log, std::int64_t code);
[[nodiscard]] std::string program_message(const std::string& log, const Answer& failure);

}  // namespace keelson::oci

#endif
