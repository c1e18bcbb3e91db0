// Where the plugin takes its images from.
#ifndef KEELSON_OCI_IMAGES_FACTORY_H
#define KEELSON_OCI_IMAGES_FACTORY_H

#include <memory>
#include <string>

#include "images/image_store.h"
#include "keelson/host.hpp"

namespace keelson::oci {

// In the directory, with the plugin's setting `images`.
[[nodiscard]] std::unique_ptr<ImageStore> make_images(const Host& host, const std::string& directory,
                                                      const Json& settings);

}  // namespace keelson::oci

#endif
