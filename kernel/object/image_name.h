// The name of a container image, as far as defaults need it.
#pragma once

#include <string_view>

namespace keelson::object {

// Whether the image has the tag "latest", which it also has without any tag or digest. A malformed name has
// no tag.
[[nodiscard]] bool image_is_latest(std::string_view image);

}  // namespace keelson::object
