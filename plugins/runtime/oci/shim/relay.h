// Copies bytes from one descriptor to another, at the pace of the slower one.
#ifndef KEELSON_OCI_SHIM_RELAY_H
#define KEELSON_OCI_SHIM_RELAY_H

#include <cstddef>
#include <cstdint>

#include "poller.h"

namespace keelson::oci::shim {

// Called with the owner's number when the source has ended, after the last byte, or nobody takes more.
using AtEnd = void (*)(std::uint64_t owner);

// Takes both descriptors, which it makes non-blocking, and closes them in the end. Without a free relay they
// are closed at once.
void start_relay(int from, int to, std::uint64_t owner, AtEnd at_end = nullptr);
// Ends those of an owner, without a call.
void stop_relays(std::uint64_t owner);
// For the relays of one owner; used once.
std::uint64_t new_owner();
void poll_relays(Poller& poller);

}  // namespace keelson::oci::shim

#endif
