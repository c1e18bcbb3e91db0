// HTTP requests to registries: one at a time on a connection, given up when the call is.
#ifndef KEELSON_OCI_HTTP_H
#define KEELSON_OCI_HTTP_H

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "interrupt.h"
#include "url.h"

namespace keelson::oci {

// The connection could not be made, or broke, or is silent: it may go better the next time.
class TransportError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

struct TlsSettings {
    bool skip_verification = false;
    std::string ca_file;
};

struct HttpTimeouts {
    std::chrono::milliseconds connect{10'000};
    std::chrono::milliseconds idle{30'000};
};

struct HttpRequest {
    Url url;
    TlsSettings tls;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string form;  // not empty: it is a POST of this
};

class Connection;
class HttpClient;

class HttpResponse {
  public:
    HttpResponse(HttpClient& client, std::string server, std::unique_ptr<Connection> connection);
    ~HttpResponse();
    HttpResponse(const HttpResponse&) = delete;
    HttpResponse& operator=(const HttpResponse&) = delete;

    [[nodiscard]] unsigned status() const;
    // All of that name, whatever its case; empty when there is none.
    [[nodiscard]] std::vector<std::string> headers(const std::string& name) const;
    [[nodiscard]] std::string header(const std::string& name) const;
    // As the server says.
    [[nodiscard]] std::optional<std::uint64_t> length() const;
    // 0 at the end. Throws TransportError when the connection breaks before.
    [[nodiscard]] std::size_t read(char* buffer, std::size_t size);
    // All of it; nothing when it is longer than that.
    [[nodiscard]] std::optional<std::string> body(std::size_t maximum_bytes);

  private:
    HttpClient& client_;
    std::string server_;
    std::unique_ptr<Connection> connection_;
};

// Thread-safe. Keeps connections for the next request. Follows no redirects.
class HttpClient {
  public:
    HttpClient(HttpTimeouts timeouts, const Interrupt& interrupt);
    ~HttpClient();
    HttpClient(const HttpClient&) = delete;
    HttpClient& operator=(const HttpClient&) = delete;

    // Answers when the head of the response is there.
    [[nodiscard]] std::unique_ptr<HttpResponse> send(const HttpRequest& request);

  private:
    friend class HttpResponse;
    [[nodiscard]] std::unique_ptr<Connection> take_idle(const std::string& server);
    void give_back(const std::string& server, std::unique_ptr<Connection> connection);

    HttpTimeouts timeouts_;
    const Interrupt& interrupt_;
    std::mutex mutex_;
    std::multimap<std::string, std::unique_ptr<Connection>> idle_;
};

}  // namespace keelson::oci

#endif
