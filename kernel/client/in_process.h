// The client inside the server's process: calls the verbs directly. It skips TLS, HTTP and authentication,
// nothing else: admission, quota and validation see every write.
#pragma once

#include <memory>

#include "kernel/access/identity.h"
#include "kernel/client/client.h"
#include "kernel/resource/subresources.h"
#include "kernel/resource/verbs.h"

namespace keelson::client {

// Both must outlive the client and its watches.
[[nodiscard]] std::unique_ptr<Client> make_in_process_client(resource::Verbs& verbs,
                                                             resource::Subresources& subresources,
                                                             access::Identity identity);

}  // namespace keelson::client
