// Discovery documents: what groups, versions and resources there are, in the legacy and the aggregated form.
// Made once from the schema; every document is kept as JSON.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>

#include "kernel/api/exchange.h"
#include "kernel/object/schema.h"

namespace keelson::api {

class Discovery {
  public:
    // Of the built-in resources, and further ones of groups of their own; those outlive it.
    explicit Discovery(std::span<const object::Resource> further = {});

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
