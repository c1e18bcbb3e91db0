// Where bytes come from: a registry, an archive, a pipe, memory.
#ifndef KEELSON_OCI_BYTE_SOURCE_H
#define KEELSON_OCI_BYTE_SOURCE_H

#include <cstddef>

namespace keelson::oci {

class ByteSource {
  public:
    virtual ~ByteSource() = default;
    // Up to size bytes; 0 at the end. Throws keelson::Error.
    [[nodiscard]] virtual std::size_t read(char* buffer, std::size_t size) = 0;
};

}  // namespace keelson::oci

#endif
