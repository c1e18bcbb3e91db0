// Which images there are, by id, and how they are called: images.json.
#ifndef KEELSON_OCI_IMAGE_TABLE_H
#define KEELSON_OCI_IMAGE_TABLE_H

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace keelson::oci {

struct ImageRecord {
    std::set<std::string> names;      // "docker.io/library/nginx:1"
    std::set<std::string> digests;    // "docker.io/library/nginx@sha256:..."
    std::set<std::string> manifests;  // their blobs
    // From the config and the layers, not in images.json.
    std::vector<std::string> chains;  // the lowest first
    std::uint64_t config_bytes = 0;
    std::string user;
};

// A plain value: changed as a copy, saved, then put in place.
class ImageTable {
  public:
    [[nodiscard]] static ImageTable parse(std::string_view bytes);
    [[nodiscard]] std::string dump() const;

    // Joins the record with the image if it is there. Names move here from other images.
    void add(const std::string& id, const ImageRecord& record);
    // By id, name, digest reference or a unique beginning of the id; end() when it is not there. What can be
    // no reference is Code::invalid.
    [[nodiscard]] std::map<std::string, ImageRecord>::const_iterator find(const std::string& text) const;

    std::map<std::string, ImageRecord> images;  // by id
};

}  // namespace keelson::oci

#endif
