// gRPC probes: grpc.health.v1.Health/Check over HTTP/2 without TLS
// (https://github.com/grpc/grpc/blob/master/doc/health-checking.md).
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "kernel/node/probe.h"
#include "kernel/node/probe_connection.h"

namespace keelson::node {

struct GrpcProbe {
    std::string host;
    std::uint16_t port = 0;
    std::string service;
    std::string user_agent;
    std::chrono::seconds timeout{1};  // for messages; the deadline counts
};

// Blocks until the deadline at most.
[[nodiscard]] ProbeResult ask_over_grpc(const GrpcProbe& probe, Deadline deadline);

}  // namespace keelson::node
