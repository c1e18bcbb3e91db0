// The tar inside a layer's bytes: decompressed, hashed on the way, and bounded.
#ifndef KEELSON_OCI_LAYER_STREAM_H
#define KEELSON_OCI_LAYER_STREAM_H

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "byte_source.h"
#include "digest.h"
#include "size_limits.h"

struct archive;

namespace keelson::oci {

enum class Compression { none, gzip, zstd };

// By its first bytes.
[[nodiscard]] Compression compression_of(std::string_view start);

class LayerStream {
  public:
    // Both must outlive it.
    LayerStream(ByteSource& compressed, const Limits& limits);
    ~LayerStream();
    LayerStream(const LayerStream&) = delete;
    LayerStream& operator=(const LayerStream&) = delete;

    // The next piece of the tar, valid until the next call; empty at the end. Damage and bombs are
    // Code::invalid.
    [[nodiscard]] std::string_view next();
    // Reads what is left and answers the digest of all of the tar.
    [[nodiscard]] std::string finish();

  private:
    struct Archive;
    class Input;

    void open();
    std::string_view next_raw();
    void account(std::size_t size);

    const Limits& limits_;
    std::unique_ptr<Input> input_;
    std::unique_ptr<Archive> decompressor_;  // none for a plain tar
    Sha256 sum_;
    std::uint64_t tar_bytes_ = 0;
    bool is_open_ = false;
};

}  // namespace keelson::oci

#endif
