// What a request asks for, read from its method, path and query alone, exactly as Kubernetes' RequestInfo
// resolver reads it (staging/src/k8s.io/apiserver/pkg/endpoints/request/requestinfo.go). Authorization, fair
// queueing, audit and the resource handler all start from it. Pure functions, any thread.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernel/base/result.h"

namespace keelson::api {

struct RequestInfo {
    bool is_resource_request = false;
    // Resource requests: get, list, watch, create, update, patch, delete, deletecollection, proxy, or "" for
    // another method. Others: the method in lower case.
    std::string verb;
    std::string path;        // as it came, decoded
    std::string api_prefix;  // "api" or "apis"
    std::string group;       // "" for the core group
    std::string version;
    std::string namespace_name;  // also set for the namespace object itself
    std::string resource;
    std::string subresource;
    // From the path, or for list and watch from a field selector that asks for exactly one metadata.name.
    std::string name;
    std::string field_selector;  // of a list or watch, as it came
    // The path from the resource on: resource, name, subresource and what follows it.
    std::vector<std::string> parts;
    bool watch_by_path = false;  // the deprecated /api/v1/watch/... form
};

using Query = std::vector<std::pair<std::string, std::string>>;

// Fails (bad_request) only for /api/v1/watch and /api/v1/proxy without anything behind.
[[nodiscard]] base::Result<RequestInfo> parse_request_info(std::string_view method, std::string_view path,
                                                           const Query& query);

// Requests that may last for hours: watches, proxies, and the log, exec, attach, portforward and proxy
// subresources. They hold no seat in the fair queues once they have begun and have no request timeout.
[[nodiscard]] bool is_long_running(const RequestInfo& info);

}  // namespace keelson::api
