// How a machine becomes a node of a cluster that runs elsewhere: whom to trust, the first certificate, and a
// new one in time. The certificate is asked for with a CertificateSigningRequest, first as the owner of a
// bootstrap token, later as the node itself.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "kernel/base/executor.h"
#include "kernel/base/ids.h"
#include "kernel/base/pause.h"
#include "kernel/base/task.h"
#include "kernel/client/client.h"
#include "kernel/daemon/certificates.h"
#include "kernel/daemon/config.h"

namespace keelson::daemon {

struct ServerAddress {
    std::string host;  // an IPv6 address without its brackets
    std::uint16_t port = 6443;
};
// "https://HOST:PORT"; the port may be left out.
[[nodiscard]] base::Result<ServerAddress> parse_server_url(const std::string& url);

struct NodeCredentials {
    std::string authority;  // PEM: the cluster's CA
    KeyAndCertificate client;
};

// DIR/pki/cluster-ca.crt and node-client.{key,crt}; calls block. A crash between two files loses nothing.
class NodeCredentialFiles {
  public:
    explicit NodeCredentialFiles(const std::string& data_directory);
    // Nothing when this machine has not joined yet, or so long ago that its certificate has expired. Fails
    // for files that cannot be read, and for the certificate of a node of another name.
    [[nodiscard]] base::Result<std::optional<NodeCredentials>> read(const std::string& node_name,
                                                                    base::WallTime now) const;
    [[nodiscard]] base::Result<void> write(const NodeCredentials& credentials) const;
    [[nodiscard]] base::Result<void> write_client(const KeyAndCertificate& client) const;

  private:
    [[nodiscard]] std::string path(const std::string& name) const { return directory_ + "/" + name; }
    std::string directory_;
};

// The cluster's CA, from the ConfigMap cluster-info, asked of a server that nobody vouches for: it is the
// right one when its public key has the hash.
[[nodiscard]] base::Task<base::Result<std::string>> fetch_authority(ServerAddress server, std::string hash);

// Asks for a certificate as the node's and waits for the answer; the client is who asks. The key is fresh.
// `pause` ends the wait early.
struct CertificateOrder {
    std::string node_name;
    // Names and addresses that the node answers under: the certificate is a server's then, else a client's.
    std::vector<std::string> server_names = {};
    std::optional<std::int64_t> expiration_seconds = {};  // nothing: as long as the signer gives
    base::Duration patience = std::chrono::minutes(2);
};
[[nodiscard]] base::Task<base::Result<KeyAndCertificate>> order_certificate(client::Client& client,
                                                                            CertificateOrder order,
                                                                            base::Pause& pause);

// The whole way: CA, certificate, files.
[[nodiscard]] base::Task<base::Result<NodeCredentials>> join_cluster(JoinConfig join, std::string node_name,
                                                                     const NodeCredentialFiles& files);

// At 70 to 90 % of its life, spread at random so that nodes that joined together do not all come at once.
[[nodiscard]] base::WallTime rotation_time(const CertificateFacts& facts, base::RandomSource& random);

// Gets a new certificate when it is time, again and again.
class CertificateRotation {
  public:
    struct Parts {
        client::Client& client;  // of the node
        base::RandomSource& random;
        CertificateOrder order;
        // Uses the new one from now on; runs in the blocking pool.
        std::function<base::Result<void>(const KeyAndCertificate&)> take;
    };
    explicit CertificateRotation(Parts parts) : parts_(std::move(parts)) {}

    // Until stop(); it outlives the task. Empty: there is none yet.
    base::Task<void> run(std::string certificate);
    // Thread-safe.
    void stop() { pause_.stop(); }

  private:
    base::Task<base::Result<std::string>> rotate();

    Parts parts_;
    base::Pause pause_;
};

}  // namespace keelson::daemon
