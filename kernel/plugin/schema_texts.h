// The files of sdk/schema, compiled in.
#pragma once

#include <string_view>

namespace keelson::plugin {

// "volume": the text of volume.json; empty when there is none.
[[nodiscard]] std::string_view schema_text(std::string_view name);

}  // namespace keelson::plugin
