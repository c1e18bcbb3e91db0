// Watches over what pods use up of the node: writes down where it runs short, ends pods that are in the way
// or over their limits, and removes images that nothing uses when the disk is full. On the node's executor.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "kernel/base/pause.h"
#include "kernel/client/event_recorder.h"
#include "kernel/node/eviction.h"
#include "kernel/node/image_keeper.h"

namespace keelson::node {

class Evictor {
  public:
    struct Parts {
        const NodeSettings& settings;
        const NodeParts& node;
        client::EventRecorder& recorder;
        UsageSampler& sampler;
        NodePressure& pressure;
        std::function<std::vector<std::shared_ptr<PodRecord>>()> records;
        std::function<void(const std::string& uid)> wake;
    };
    explicit Evictor(Parts parts);

    // Looks every ten seconds, until stop(). One pod at a time: what it leaves may be enough for the others.
    base::Task<void> run();
    void stop() { pause_.stop(); }

  private:
    base::Task<void> look();
    base::Task<DiskUsages> count_disks(bool all);
    void end(const std::shared_ptr<PodRecord>& record, PodFailure failure);
    // Whether a pod that was told to go is still going.
    [[nodiscard]] bool is_waiting() const;

    Parts parts_;
    std::int64_t process_limit_ = 0;
    ImageKeeper images_;
    base::Pause pause_;
};

}  // namespace keelson::node
