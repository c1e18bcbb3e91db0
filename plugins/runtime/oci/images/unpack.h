// One layer, from its bytes to a directory that overlayfs can stack.
#ifndef KEELSON_OCI_UNPACK_H
#define KEELSON_OCI_UNPACK_H

#include <cstdint>
#include <set>
#include <string>

#include "byte_source.h"
#include "size_limits.h"

namespace keelson::oci {

struct UnpackedLayer {
    std::string diff_id;      // the digest of the tar itself
    std::uint64_t bytes = 0;  // of its files
    std::uint64_t inodes = 0;
    std::set<std::string> implicit_directories;
};

// Reads the source to its end. The directory is empty at first; when this throws it is in any state.
// Whiteouts become those of overlayfs. Hostile or damaged layers are Code::invalid, no space left
// Code::exhausted.
[[nodiscard]] UnpackedLayer unpack_layer(ByteSource& source, int root, const Limits& limits);

}  // namespace keelson::oci

#endif
