// One repository of a registry, and of its mirrors: manifests and blobs, with whatever the registry asks for
// first.
#ifndef KEELSON_OCI_REGISTRY_H
#define KEELSON_OCI_REGISTRY_H

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "byte_source.h"
#include "documents.h"
#include "http.h"
#include "make_image_store.h"
#include "reference.h"

namespace keelson::oci {

class RegistryEndpoint;

// Thread-safe. Failures are Code::not_found, forbidden, unavailable, or invalid when what comes is not what
// its digest says; the last is checked before a byte of a manifest is used and, for blobs, by the end of the
// source.
class Repository {
  public:
    using Received = std::function<void(std::uint64_t bytes)>;

    // Everything given must outlive it. The credentials are for the registry itself, never for a mirror.
    Repository(const StoreSettings& settings, const Reference& reference,
               const std::vector<images::Credentials>& credentials, const Interrupt& interrupt);
    ~Repository();
    Repository(const Repository&) = delete;
    Repository& operator=(const Repository&) = delete;

    // version: a tag or a digest. From the first mirror that has it, or else the registry.
    [[nodiscard]] std::string manifest(const std::string& version);
    // The source goes on where it was when a connection breaks.
    [[nodiscard]] std::unique_ptr<ByteSource> blob(const Content& content, Received received);
    [[nodiscard]] std::string small_blob(const Content& content);

  private:
    [[nodiscard]] std::string fetch_manifest(RegistryEndpoint& endpoint, const std::string& version) const;

    const StoreSettings& settings_;
    const Interrupt& interrupt_;
    HttpClient client_;
    std::vector<std::unique_ptr<RegistryEndpoint>> endpoints_;  // the registry itself is the last
};

}  // namespace keelson::oci

#endif
