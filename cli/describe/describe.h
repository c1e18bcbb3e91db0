// Descriptions of objects for people, laid out as kubectl does.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cli/describe/description.h"
#include "cli/result.h"

namespace keelson::cli::describing {

struct ListQuery {
    std::string labels;  // selectors as in a request; empty: all
    std::string fields;
};

// Reads what a description needs besides its object. Failures are part of the description, or leave out what
// they would have told.
class Related {
  public:
    virtual ~Related() = default;
    // A list document. `type` is "pods" or "endpointslices.discovery.k8s.io"; an empty namespace means all.
    virtual Result<Json> list(const std::string& type, const std::string& namespace_name,
                              const ListQuery& query) = 0;
    virtual Result<Json> get(const std::string& type, const std::string& namespace_name,
                             const std::string& name) = 0;
};

struct DescribeOptions {
    bool shows_events = true;
    std::int64_t now = 0;  // seconds since 1970
};

std::string describe(const Json& object, Related& related, const DescribeOptions& options);

}  // namespace keelson::cli::describing
