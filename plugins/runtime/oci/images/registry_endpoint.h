// One server that has the repository: the registry or a mirror of it.
#ifndef KEELSON_OCI_REGISTRY_ENDPOINT_H
#define KEELSON_OCI_REGISTRY_ENDPOINT_H

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "http.h"
#include "make_image_store.h"

namespace keelson::oci {

// Thread-safe. Asks again after failures that may pass, authorizes itself, follows redirects.
class RegistryEndpoint {
  public:
    // Everything given must outlive it but the credentials, which are tried in turn, then none at all.
    RegistryEndpoint(const StoreSettings& settings, const std::string& host, std::string repository,
                     std::vector<images::Credentials> credentials, HttpClient& client,
                     const Interrupt& interrupt);

    using Headers = std::vector<std::pair<std::string, std::string>>;
    // path: "/manifests/1" of the repository. A response of 200 or 206, or a failure: Code::not_found,
    // forbidden, unavailable.
    [[nodiscard]] std::unique_ptr<HttpResponse> get(const std::string& path, const Headers& headers);

    [[nodiscard]] const std::string& name() const { return name_; }

  private:
    [[nodiscard]] TlsSettings tls_for(const std::string& host) const;
    [[nodiscard]] std::string authorization() const;
    [[nodiscard]] std::unique_ptr<HttpResponse> follow(HttpRequest request);
    [[nodiscard]] std::unique_ptr<HttpResponse> send(const HttpRequest& request);
    [[nodiscard]] std::unique_ptr<HttpResponse> authorized(HttpRequest request);

    const StoreSettings& settings_;
    std::string repository_;
    std::vector<images::Credentials> credentials_;
    HttpClient& client_;
    const Interrupt& interrupt_;
    Url base_;
    std::string name_;
    mutable std::mutex mutex_;
    std::string authorization_;
};

// Waits before another attempt, longer each time; gives up with the call.
void pause_before(int attempt, const StoreSettings& settings, const Interrupt& interrupt);

}  // namespace keelson::oci

#endif
