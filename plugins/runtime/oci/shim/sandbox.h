// What a pod's containers share: namespaces, mounts of the runtime's own, the first process of a shared
// process namespace. All of it ends with the shim.
#ifndef KEELSON_OCI_SHIM_SANDBOX_H
#define KEELSON_OCI_SHIM_SANDBOX_H

#include <sys/types.h>

#include "message.h"

namespace keelson::oci::shim {

struct Sandbox {
    bool has_network;     // its own
    pid_t first_process;  // of the shared process namespace; 0: there is none
};

// As `setup` says. On failure `what` says what went wrong, errno why; the shim then ends.
bool set_up(const Message& setup, Sandbox& sandbox, const char*& what);

}  // namespace keelson::oci::shim

#endif
