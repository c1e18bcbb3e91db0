// The images of this runtime: pulled or imported, unpacked, shared layer by layer, found by name or id.
//
// Layout below the store's directory: blobs/sha256/<hex> (manifests and configs), layers/<chain id>/root (an
// unpacked layer, one overlayfs lower directory), images.json. Everything is written beside its place, synced
// and renamed, so a crash leaves the old state or the new one.
#ifndef KEELSON_OCI_IMAGE_STORE_H
#define KEELSON_OCI_IMAGE_STORE_H

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "keelson/runtime.hpp"

namespace keelson::oci {

// What an image says about the containers that are made of it.
struct ImageConfig {
    std::vector<std::string> entrypoint;
    std::vector<std::string> command;
    std::vector<std::string> environment;  // "NAME=value"
    std::vector<std::string> volumes;      // paths
    std::string working_directory;
    std::string user;         // as in a Dockerfile: "1000", "1000:1000", "nobody"
    std::string stop_signal;  // "SIGTERM"; empty: not said
};

struct ResolvedImage {
    std::string image_id;             // "sha256:<hex>" of the config
    std::vector<std::string> layers;  // directories, the lowest first
    ImageConfig config;
};

// Thread-safe. Failures are thrown as keelson::Error, with the codes that runtime.h names.
class ImageStore {
  public:
    virtual ~ImageStore() = default;

    [[nodiscard]] virtual images::Pulled pull(const images::Pull& request, const Call& call) = 0;
    [[nodiscard]] virtual images::Loaded load(const std::string& name, int archive, const Call& call) = 0;
    [[nodiscard]] virtual images::Listed list() const = 0;
    [[nodiscard]] virtual images::Inspected inspect(const std::string& image) const = 0;
    // Removes its names and what no other image and no holder needs. An image that is held: Code::conflict.
    virtual void remove(const std::string& image_id) = 0;
    [[nodiscard]] virtual images::Usage usage() const = 0;
    // Those under way, the oldest first.
    [[nodiscard]] virtual images::Pulls pulls() const = 0;

    // For making a container. The image and its layers stay as long as somebody holds it; a holder is named
    // by its container id, holding twice is once, and holds do not survive the process: the containers that
    // are found at a start are held again.
    [[nodiscard]] virtual ResolvedImage hold(const std::string& image_id, const std::string& holder) = 0;
    virtual void release(const std::string& image_id, const std::string& holder) = 0;
};

}  // namespace keelson::oci

#endif
