// Asks the probes of running containers in their rhythm and tells of changes. On the node's executor.
//
// A container's liveness and readiness are asked once its startup probe has succeeded. Thresholds and rhythm
// are those of https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "kernel/base/ids.h"
#include "kernel/base/pause.h"
#include "kernel/client/event_recorder.h"
#include "kernel/node/pod_record.h"
#include "kernel/node/probe.h"

namespace keelson::node {

enum class ProbeKind : std::uint8_t { startup, liveness, readiness };
[[nodiscard]] std::string_view probe_name(ProbeKind kind);  // "Startup"

class Prober {
  public:
    // The probe has crossed its threshold: it fails now, or succeeds now.
    using Changed = std::function<void(const std::string& uid, const std::string& container,
                                       const std::string& container_id, ProbeKind kind, bool is_success)>;

    Prober(Runtime& runtime, client::EventRecorder& recorder, base::Executor& executor,
           base::RandomSource& random, Changed changed);
    ~Prober();

    // Brings the probes in line with the record: those of containers that run are asked, others are not.
    void look_at(const std::shared_ptr<PodRecord>& record);
    // Ends the probes of a pod; none is left of it afterwards but what is being asked.
    void forget(const std::string& uid);
    void stop();

  private:
    struct Loop;
    using Key = std::pair<std::string, ProbeKind>;  // container id

    void begin(const std::shared_ptr<PodRecord>& record, const ContainerRecord& container, ProbeKind kind);
    static base::Task<void> run(std::shared_ptr<Loop> loop);

    Runtime& runtime_;
    client::EventRecorder& recorder_;
    base::Executor& executor_;
    base::RandomSource& random_;
    Changed changed_;
    std::map<std::string, std::map<Key, std::shared_ptr<Loop>>> loops_;  // by uid
};

}  // namespace keelson::node
