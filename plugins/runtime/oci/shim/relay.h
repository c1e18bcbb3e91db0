// Copies bytes from one descriptor to another, at the pace of the slower one.
#ifndef KEELSON_OCI_SHIM_RELAY_H
#define KEELSON_OCI_SHIM_RELAY_H

#include <cstddef>

#include "poller.h"

namespace keelson::oci::shim {

// Called with its object when the source has ended by itself, after the last byte.
using AtEnd = void (*)(void* object);

// Takes both descriptors, which it makes non-blocking, and closes them in the end. Without a free relay they
// are closed at once. `group` is for stopping it.
void start_relay(int from, int to, const void* group, AtEnd at_end = nullptr, void* object = nullptr);
// Ends the relays of a group.
void stop_relays(const void* group);
void poll_relays(Poller& poller);

}  // namespace keelson::oci::shim

#endif
