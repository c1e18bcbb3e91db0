// The bytes of a blob from a registry, checked against its digest while they pass, and resumed where they
// broke.
#ifndef KEELSON_OCI_BLOB_SOURCE_H
#define KEELSON_OCI_BLOB_SOURCE_H

#include <functional>
#include <memory>

#include "byte_source.h"
#include "digest.h"
#include "documents.h"
#include "registry_endpoint.h"

namespace keelson::oci {

// The end (a read that gives 0) is only reached when size and digest are right: Code::invalid otherwise.
class BlobSource : public ByteSource {
  public:
    // Everything given must outlive it. The first of the endpoints that has it is used, then the next.
    BlobSource(const StoreSettings& settings, const Interrupt& interrupt,
               std::vector<RegistryEndpoint*> endpoints, Content content,
               std::function<void(std::uint64_t)> received);

    std::size_t read(char* buffer, std::size_t size) override;

  private:
    void open();
    void open_at(RegistryEndpoint& endpoint);
    void skip(std::uint64_t bytes);
    void accept(const char* data, std::size_t size);
    void break_off(const std::string& reason);

    const StoreSettings& settings_;
    const Interrupt& interrupt_;
    std::vector<RegistryEndpoint*> endpoints_;
    Content content_;
    std::function<void(std::uint64_t)> received_;
    std::unique_ptr<HttpResponse> response_;
    Sha256 sum_;
    std::uint64_t offset_ = 0;
    bool is_checked_ = false;
    int failures_ = 0;       // since the last byte
    int interruptions_ = 0;  // in all
};

}  // namespace keelson::oci

#endif
