// Registries on loopback: one in this process that does and says what a test wants, and Debian's
// docker-registry.
#ifndef KEELSON_TESTS_IMAGES_SERVER_H
#define KEELSON_TESTS_IMAGES_SERVER_H

#include <sys/types.h>

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "keelson/call.hpp"

namespace keelson::oci {

struct ServerRequest {
    std::string method;
    std::string target;
    std::string head;  // all of it
    std::string body;
    // Empty when it is not there; names in lower case.
    [[nodiscard]] std::string header(const std::string& name) const;
};

struct ServerResponse {
    int status = 200;
    std::string body;
    std::vector<std::string> headers;           // "Name: value"
    std::size_t cut_after = std::string::npos;  // bytes of the body, then the connection breaks
    bool hangs = false;                         // says nothing more until the client has gone
};

class Server {
  public:
    using Handler = std::function<ServerResponse(const ServerRequest&)>;
    explicit Server(Handler handler);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    [[nodiscard]] std::string host() const { return "127.0.0.1:" + std::to_string(port_); }
    // "GET /v2/..." in the order they came.
    [[nodiscard]] std::vector<std::string> requests() const;

  private:
    void accept_all();
    void serve(int connection);

    Handler handler_;
    int port_ = 0;  // before what sets it
    Descriptor listener_;
    std::atomic<bool> is_stopping_ = false;
    mutable std::mutex mutex_;
    std::vector<std::string> requests_;
    std::vector<std::thread> threads_;
    std::thread acceptor_;
};

// What a registry has: manifests by tag and digest, blobs by digest.
class FakeImage {
  public:
    // Tars, sent compressed.
    explicit FakeImage(const std::vector<std::string>& layers, const std::string& architecture = {});
    [[nodiscard]] ServerResponse answer(const ServerRequest& request) const;
    void put_index(const std::vector<const FakeImage*>& images);

    std::string manifest;
    std::map<std::string, std::string> blobs;  // by digest; layers first in sent
    std::vector<std::string> layer_digests;
    std::map<std::string, std::string> manifests;  // by tag or digest
};

// docker-registry with a configuration of its own; ended with this.
class RealRegistry {
  public:
    // more: lines of YAML at the top level and below http, for authentication and TLS.
    RealRegistry(const std::string& folder, const std::string& more, const std::string& more_http);
    ~RealRegistry();
    RealRegistry(const RealRegistry&) = delete;
    RealRegistry& operator=(const RealRegistry&) = delete;
    [[nodiscard]] bool is_up() const { return is_up_; }
    [[nodiscard]] std::string host() const { return "127.0.0.1:" + std::to_string(port_); }

  private:
    pid_t process_ = -1;
    int port_ = 0;
    bool is_up_ = false;
};

}  // namespace keelson::oci

#endif
