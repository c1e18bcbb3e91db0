// Manifests and configs by digest: blobs/sha256/<hex>.
#ifndef KEELSON_OCI_BLOBS_H
#define KEELSON_OCI_BLOBS_H

#include <atomic>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "keelson/call.hpp"

namespace keelson::oci {

class BlobStore {
  public:
    // The descriptor of tmp/ stays the caller's.
    BlobStore(int store_directory, int temporary_directory);

    // Durable after it. Answers its digest.
    std::string put(std::string_view bytes);
    // Nothing when it is not there or is not what its name says.
    [[nodiscard]] std::optional<std::string> get(const std::string& digest, std::size_t maximum_bytes) const;
    void keep_only(const std::set<std::string>& digests);

  private:
    Descriptor directory_;
    int temporary_directory_;
    std::atomic<std::uint64_t> serial_ = 0;
};

}  // namespace keelson::oci

#endif
