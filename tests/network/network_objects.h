// Services and slices from text, for tests of the models.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <stdexcept>
#include <string>

#include "kernel/client/informer.h"
#include "kernel/object/json.h"

namespace keelson::network {

inline client::ObjectPointer object_of(const std::string& json, std::string_view kind,
                                       std::string_view version) {
    object::Arena arena;
    const auto root = object::parse_json_copy(json, arena);
    if (!root) throw std::invalid_argument(root.error().message() + " in " + json);
    return std::make_shared<const client::CachedObject>(*root, kind, version);
}

// A service of the namespace "default"; `spec` without its braces.
inline client::ObjectPointer service_of(const std::string& name, const std::string& spec,
                                        const std::string& more_metadata = {},
                                        const std::string& status = "{}") {
    return object_of(R"({"metadata":{"name":")" + name + R"(","namespace":"default","uid":")" + name + "\"" +
                         more_metadata + R"(},"spec":{)" + spec + R"(},"status":)" + status + "}",
                     "Service", "v1");
}

// A slice of a service with the port "http"; endpoints as JSON.
inline client::ObjectPointer slice_of(
    const std::string& name, const std::string& service, const std::string& endpoints,
    const std::string& ports = R"([{"name":"http","port":8080,"protocol":"TCP"}])",
    const std::string& type = "IPv4") {
    return object_of(R"({"metadata":{"name":")" + name +
                         R"(","namespace":"default","labels":{"kubernetes.io/service-name":")" + service +
                         R"("}},"addressType":")" + type + R"(","endpoints":[)" + endpoints +
                         R"(],"ports":)" + ports + "}",
                     "EndpointSlice", "discovery.k8s.io/v1");
}

// "10.0.0.1" on the node, in the state that `conditions` say.
inline std::string endpoint(const std::string& address, const std::string& node = "n1",
                            const std::string& conditions = R"({"ready":true})",
                            const std::string& more = {}) {
    return R"({"addresses":[")" + address + R"("],"nodeName":")" + node + R"(","conditions":)" + conditions +
           more + "}";
}

inline constexpr auto kClusterIp = R"("type":"ClusterIP","clusterIP":"10.96.0.1","clusterIPs":["10.96.0.1"],)"
                                   R"("ports":[{"name":"http","port":80,"protocol":"TCP"}])";

}  // namespace keelson::network
