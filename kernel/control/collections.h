// The collections that there are, for controllers that look at everything. One version of each.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "kernel/client/informer.h"

namespace keelson::control {

struct KnownCollection {
    client::Collection collection;
    std::string_view kind;
    bool is_namespaced = false;
};

// Everything that can be listed, watched and deleted, but for Events, which nobody owns and which go by
// themselves.
[[nodiscard]] std::vector<KnownCollection> owned_collections();

// Where objects of that kind are, by an owner reference's apiVersion and kind; nothing when there is no such
// kind.
[[nodiscard]] std::optional<KnownCollection> collection_of_kind(std::string_view api_version,
                                                                std::string_view kind);
// The same whatever version of the group is named.
[[nodiscard]] std::optional<KnownCollection> collection_of_group(std::string_view group,
                                                                 std::string_view kind);

}  // namespace keelson::control
