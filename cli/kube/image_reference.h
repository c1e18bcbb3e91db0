// Names of container images: [HOST[:PORT]/]PATH[:TAG][@DIGEST].
#pragma once

#include <string>

namespace keelson::cli::kube {

bool is_image_reference(const std::string& text);

}  // namespace keelson::cli::kube
