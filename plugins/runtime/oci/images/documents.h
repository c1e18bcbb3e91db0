// The JSON documents of images, OCI's and Docker's: read, bounded, checked.
#ifndef KEELSON_OCI_DOCUMENTS_H
#define KEELSON_OCI_DOCUMENTS_H

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "image_store.h"
#include "size_limits.h"

namespace keelson::oci {

struct Platform {
    std::string system;
    std::string architecture;
    std::string variant;
};
[[nodiscard]] Platform this_platform();

// Something that is found by its digest.
struct Content {
    std::string media_type;
    std::string digest;
    std::uint64_t size = 0;
    Platform platform;  // in an index
    std::map<std::string, std::string> annotations;
};

// A manifest, or an index of several (a "manifest list").
struct Manifest {
    bool is_index = false;
    std::vector<Content> manifests;  // of an index
    Content config;
    std::vector<Content> layers;
};

// What a config says about its layers and where it runs, besides what containers need.
struct Config {
    std::vector<std::string> diff_ids;
    Platform platform;
    ImageConfig image;
};

// Each throws Code::invalid with what is wrong with it.
[[nodiscard]] Manifest parse_manifest(std::string_view bytes, const Limits& limits);
[[nodiscard]] Config parse_config(std::string_view bytes, const Limits& limits);

// The one for this machine. Code::not_found names those that are there.
[[nodiscard]] const Content& choose_manifest(const Manifest& index, const Platform& platform);
[[nodiscard]] bool runs_on(const Platform& image, const Platform& machine);

}  // namespace keelson::oci

#endif
