// How large an image may be. Every one of these is checked while it streams in.
#ifndef KEELSON_OCI_SIZE_LIMITS_H
#define KEELSON_OCI_SIZE_LIMITS_H

#include <cstddef>
#include <cstdint>

namespace keelson::oci {

struct Limits {
    std::size_t manifest_bytes = std::size_t(4) << 20U;
    std::size_t config_bytes = std::size_t(8) << 20U;
    std::size_t layers = 500;                               // what overlayfs can stack
    std::uint64_t blob_bytes = std::uint64_t(64) << 30U;    // of one layer, as it is sent
    std::uint64_t layer_bytes = std::uint64_t(128) << 30U;  // of one layer's tar, and of its files
    std::uint64_t layer_entries = 4'000'000;
    std::size_t path_depth = 128;
    // A tar may be this many times its compressed size once it is larger than ratio_free_bytes.
    std::uint64_t ratio = 250;
    std::uint64_t ratio_free_bytes = std::uint64_t(256) << 20U;
    // All of a loaded archive, and what of it is held in memory (manifests, configs).
    std::uint64_t archive_entries = 100'000;
    std::size_t archive_documents_bytes = std::size_t(64) << 20U;
};

// Throws Code::invalid when so much cannot honestly come out of so little.
void check_ratio(std::uint64_t compressed_bytes, std::uint64_t bytes, const Limits& limits);

}  // namespace keelson::oci

#endif
