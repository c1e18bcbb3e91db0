// Discovery documents: what groups, versions and resources there are, in the legacy and the aggregated form.
// Made once from the schema; every document is kept as JSON.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "kernel/api/exchange.h"

namespace keelson::api {

class Discovery {
  public:
    Discovery();

    // Answers /, /api, /apis, /api/v1, /apis/GROUP and /apis/GROUP/VERSION. False when the path is none of
    // these.
    bool handle(Exchange& exchange) const;

    // Whether the path asks for a version that a known group does not have (/apis/apps/v9, /api/v2).
    [[nodiscard]] static bool names_unserved_version(std::string_view path);

  private:
    void add_root();

    std::map<std::string, std::string, std::less<>> documents_;   // by path
    std::map<std::string, std::string, std::less<>> aggregated_;  // by path: /api, /apis
};

}  // namespace keelson::api
