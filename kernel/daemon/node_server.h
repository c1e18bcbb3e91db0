// The HTTPS server of a node that runs without an API server: what the API server asks of it for logs,
// streams and usage. Its certificate comes from the cluster, is asked for at every start, and never touches
// the disk.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "kernel/api/server.h"
#include "kernel/base/executor.h"
#include "kernel/base/ids.h"
#include "kernel/client/client.h"
#include "kernel/daemon/node_join.h"
#include "kernel/daemon/node_role.h"

namespace keelson::daemon {

// Used by one thread, which is none of the executor's.
class NodeServer {
  public:
    struct Parts {
        api::Listener listener;
        NodeRole& node;
        client::Client& client;  // of the node
        std::string authority;   // PEM: the cluster's CA
        base::Executor& executor;
        base::RandomSource& random;
    };

    explicit NodeServer(Parts parts);
    ~NodeServer();

    // Answers as soon as the cluster has given a certificate.
    void start();
    // Waits until nobody is served any more.
    void stop();

  private:
    base::Result<void> take(const KeyAndCertificate& pair);
    [[nodiscard]] CertificateOrder order() const;

    Parts parts_;
    CertificateRotation rotation_;
    base::Completion<bool> rotation_ended_;
    bool is_started_ = false;
    std::mutex mutex_;  // of the server: certificates come on another thread
    std::unique_ptr<api::Server> server_;
};

}  // namespace keelson::daemon
