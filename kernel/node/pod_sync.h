// One look at one pod: brings what runs in line with what is wanted, and says how it stands. Level-triggered:
// every call looks at the present state, does what can be done now, and leaves what takes long (pulls, hooks,
// graceful ends) to tasks that wake the pod when they are done.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "kernel/node/container_life.h"
#include "kernel/node/prober.h"
#include "kernel/node/status_writer.h"

namespace keelson::node {

class PodSync {
  public:
    // `admitted` gives the pods that run here besides the one that asks.
    using Others = std::function<std::vector<api_types::core_v1::Pod>(const std::string& uid)>;

    PodSync(const AgentParts& parts, Volumes& volumes, Prober& prober, std::string runtime_name,
            Others others);

    // What to do next: nothing more (and when the record may be forgotten), or when to look again.
    struct Outcome {
        bool is_gone = false;
        std::optional<base::Duration> look_again;
    };
    base::Task<base::Result<Outcome>> sync(std::shared_ptr<PodRecord> record);

    // What the runtime says about the pod's containers goes into the record.
    base::Task<base::Result<void>> refresh(std::shared_ptr<PodRecord> record);
    // The object has changed, or a minute has passed: files of volumes may be other ones.
    static void look_at_volumes(PodRecord& record);
    // A probe has crossed its threshold.
    void probed(const std::shared_ptr<PodRecord>& record, const std::string& container,
                const std::string& container_id, ProbeKind kind, bool is_success);

  private:
    using Record = std::shared_ptr<PodRecord>;
    using Again = std::optional<base::Duration>;

    void decide_stage(PodRecord& record);
    void decide_resize(PodRecord& record);
    base::Task<base::Result<Again>> live(Record record);
    base::Task<Again> start_containers(Record record, std::vector<std::string> names);
    void hold_back(PodRecord& record, const std::string& container);
    base::Task<base::Result<void>> make_sandbox(Record record);
    base::Task<base::Result<void>> connect(Record record, int network_namespace);
    base::Task<base::Result<void>> clear_sandbox(Record record);
    base::Task<base::Result<void>> prepare_volumes(Record record);
    base::Task<base::Result<void>> write_pod_files(Record record);
    void end(const Record& record);
    base::Task<base::Result<void>> give_back(Record record);
    base::Task<base::Result<void>> clear(Record record);
    void take(PodRecord& record, std::vector<Container> containers);
    static void adopt(api_types::core_v1::Pod pod, ContainerRecord& container);
    void noticed_exit(PodRecord& record, ContainerRecord& container);
    void read_termination_message(const PodRecord& record, Container& container) const;
    void tell(const PodRecord& record, client::EventType type, std::string_view reason, std::string message);

    const AgentParts& parts_;
    Volumes& volumes_;
    Prober& prober_;
    ContainerLife life_;
    StatusWriter writer_;
    std::string runtime_name_;
    Others others_;
};

}  // namespace keelson::node
