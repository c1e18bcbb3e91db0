// One probe of one container, or one HTTP lifecycle hook: asks once and says how it went.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "kernel/base/executor.h"
#include "kernel/base/result.h"
#include "kernel/base/task.h"
#include "kernel/node/runtime.h"
#include "kernel/object/value.h"

namespace keelson::node {

enum class ProbeOutcome : std::uint8_t { success, warning, failure, unknown };

struct ProbeResult {
    ProbeOutcome outcome = ProbeOutcome::unknown;
    std::string output;  // why, as Kubernetes words it: "HTTP probe failed with statuscode: 500"
};

// Where the container is reached.
struct ProbeTarget {
    std::string container_id;
    std::string pod_address;  // of an HTTP, TCP or gRPC probe that names no host
    object::Value container;  // whose ports have the names that a probe may use
    std::string user_agent = "kube-probe/1.36";
};

// `probe`: exec, httpGet, tcpSocket or grpc, as a Probe or a LifecycleHandler has them, with their document
// alive until the task has ended. Once it runs it never takes longer than the timeout. Redirects to the same
// host are followed, TLS is not verified, at most 10 KiB of an answer are read.
[[nodiscard]] base::Task<ProbeResult> ask(object::Value probe, const ProbeTarget& target,
                                          std::chrono::seconds timeout, Runtime& runtime,
                                          base::Executor& executor);

// Runs a command in a container and gives its output, both streams together and cut at the bound.
struct ExecOutput {
    std::int32_t exit_code = 0;
    std::string output;
};
[[nodiscard]] base::Task<base::Result<ExecOutput>> run_in_container(
    std::string container_id, std::vector<std::string> command, std::chrono::seconds timeout,
    Runtime& runtime, base::Executor& executor, std::size_t limit_bytes = 10 << 10);

}  // namespace keelson::node
