#include "blobs.h"

#include "digest.h"
#include "files.h"
#include "keelson/error.hpp"

namespace keelson::oci {

BlobStore::BlobStore(int store_directory, int temporary_directory)
    : temporary_directory_(temporary_directory) {
    const Descriptor blobs = ensure_directory(store_directory, "blobs");
    directory_ = ensure_directory(blobs.get(), "sha256");
}

std::string BlobStore::put(std::string_view bytes) {
    std::string digest = digest_of(bytes);
    if (!get(digest, bytes.size()))
        replace_file(directory_.get(), hex_of(digest), temporary_directory_,
                     "blob-" + std::to_string(++serial_), bytes);
    return digest;
}

std::optional<std::string> BlobStore::get(const std::string& digest, std::size_t maximum_bytes) const {
    try {
        auto bytes = read_file(directory_.get(), hex_of(digest), maximum_bytes);
        if (bytes && digest_of(*bytes) != digest) bytes.reset();
        return bytes;
    } catch (const Error&) {
        return std::nullopt;  // longer than it may be, or unreadable: damaged
    }
}

void BlobStore::keep_only(const std::set<std::string>& digests) {
    for (const std::string& name : list_directory(directory_.get()))
        if (!digests.contains("sha256:" + name)) remove_tree(directory_.get(), name);
}

}  // namespace keelson::oci
