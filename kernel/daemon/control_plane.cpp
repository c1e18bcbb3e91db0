#include "kernel/daemon/control_plane.h"

#include <optional>

#include "kernel/access/identity.h"
#include "kernel/base/executor_real.h"
#include "kernel/base/sync_wait.h"
#include "kernel/client/in_process.h"
#include "kernel/client/informer.h"
#include "kernel/control/controllers.h"
#include "kernel/control/engine.h"
#include "kernel/daemon/volume_makers.h"
#include "kernel/scheduling/scheduler.h"

namespace keelson::daemon {
namespace {

using base::Task;

// One thread for all: controllers and scheduler share their informers without locks.
class RunningControlPlane final : public ControlPlane {
  public:
    explicit RunningControlPlane(const Parts& parts)
        : controller_client_(client::make_in_process_client(parts.verbs, parts.subresources,
                                                            access::controller_manager_identity())),
          scheduler_client_(
              client::make_in_process_client(parts.verbs, parts.subresources, access::scheduler_identity())),
          informers_(client::Informers::make(*controller_client_, *executor_, parts.random)),
          surroundings_{*controller_client_, *informers_, *executor_, parts.random, parts.metrics},
          volume_makers_(make_plugin_volume_makers(parts.plugins)) {
        if (parts.roles.contains("control")) {
            engine_ = control::Engine::make(surroundings_);
            control::add_all_controllers(*engine_, surroundings_,
                                         {parts.root_certificates,
                                          parts.pod_cidrs,
                                          {parts.authority.certificate, parts.authority.key},
                                          parts.server,
                                          parts.dns_address,
                                          volume_makers_.get(),
                                          &parts.usages});
        }
        if (parts.roles.contains("scheduler")) {
            scheduling::SchedulerOptions options;
            options.metrics = &parts.metrics;
            scheduler_ = std::make_unique<scheduling::Scheduler>(std::move(options), *scheduler_client_,
                                                                 *informers_, *executor_, parts.random);
        }
        executor_->post([this] { begin(); });
    }

    ~RunningControlPlane() override {
        // Everything of it lives on that one thread, its end as well.
        const base::Completion<bool> ended;
        executor_->post([this, ended] { base::spawn(*executor_, end(), [ended] { ended.complete(true); }); });
        base::sync_wait(*executor_, wait_for(ended));
        executor_->stop();
    }

  private:
    void begin() {
        informers_->start();
        if (scheduler_) {
            base::spawn(*executor_, scheduler_->run(), [this] { scheduler_ended_.complete(true); });
        } else {
            scheduler_ended_.complete(true);
        }
        if (engine_)
            base::spawn(*executor_, engine_->start(), [this] { engine_started_.complete(true); });
        else
            engine_started_.complete(true);
    }

    static Task<void> wait_for(base::Completion<bool> ended) { co_await ended; }

    // The informers first: whoever still waits for their first list waits no longer.
    Task<void> end() {
        if (scheduler_) scheduler_->stop();
        auto quieting = informers_->stop();
        co_await quieting;
        co_await engine_started_;
        if (engine_) {
            auto stopping = engine_->stop();
            co_await stopping;
        }
        co_await scheduler_ended_;
    }

    std::unique_ptr<base::ThreadExecutor> executor_ = base::make_thread_executor(1, 1);
    std::unique_ptr<client::Client> controller_client_;
    std::unique_ptr<client::Client> scheduler_client_;
    std::unique_ptr<client::Informers> informers_;
    control::Surroundings surroundings_;
    std::unique_ptr<control::VolumeMakers> volume_makers_;
    std::unique_ptr<control::Engine> engine_;
    std::unique_ptr<scheduling::Scheduler> scheduler_;
    base::Completion<bool> engine_started_;
    base::Completion<bool> scheduler_ended_;
};

}  // namespace

std::unique_ptr<ControlPlane> ControlPlane::start(const Parts& parts) {
    if (!parts.roles.contains("control") && !parts.roles.contains("scheduler")) return nullptr;
    return std::make_unique<RunningControlPlane>(parts);
}

}  // namespace keelson::daemon
