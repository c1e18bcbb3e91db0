// Images out of an archive: `docker save`, an OCI layout in a tar, with any compression around it.
//
// It is read once, from start to end, so a pipe will do. What looks like a layer is unpacked as it comes by;
// what turns out to be in no image goes away again.
#ifndef KEELSON_OCI_ARCHIVE_LOAD_H
#define KEELSON_OCI_ARCHIVE_LOAD_H

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "documents.h"
#include "interrupt.h"
#include "layers.h"
#include "size_limits.h"

namespace keelson::oci {

struct ArchiveLayer {
    BuiltLayer layer;
    std::string digest;  // of its bytes in the archive
};

struct ArchiveImage {
    std::vector<std::string> manifests;  // the index first, if there is one; none in Docker's format
    std::string config;
    std::vector<std::string> names;                     // as they are in the archive
    std::vector<std::shared_ptr<ArchiveLayer>> layers;  // the lowest first; checked against the config
    Config parsed;
};

// Code::invalid when there is no image in it, or anything in it is not what its digest says.
[[nodiscard]] std::vector<ArchiveImage> read_archive(int archive, LayerStore& layers, const Limits& limits,
                                                     const Interrupt& interrupt);

}  // namespace keelson::oci

#endif
