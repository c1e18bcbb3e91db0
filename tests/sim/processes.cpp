#include "tests/sim/processes.h"

#include <utility>

namespace keelson::sim {

using base::Task;

Process::Process(std::string name, client::Client& real, const Wrapper& wrapper, const Ground& ground)
    : ground_(ground), faulty_(std::move(name), real, ground.executor, ground.faults) {
    if (wrapper) wrapped_ = wrapper(faulty_, ground.faults.dice);
}

void Process::crash() {
    faulty_.cut();
    base::spawn(ground_.executor, end_and_tell());
}

Task<void> Process::end_and_tell() {
    auto ending = end();
    co_await ending;
    is_gone_ = true;
}

ControllersProcess::~ControllersProcess() = default;

void ControllersProcess::start() {
    informers_ = client::Informers::make(api(), ground_.executor, ground_.random);
    // An aggregate of references: make_unique cannot.
    // NOLINTNEXTLINE(modernize-make-unique)
    surroundings_.reset(
        new control::Surroundings{api(), *informers_, ground_.executor, ground_.random, metrics_});
    engine_ = control::Engine::make(*surroundings_);
    const control::ControllerSettings settings{"-----BEGIN CERTIFICATE-----\n"};
    control::add_all_controllers(*engine_, *surroundings_, settings);
    base::spawn(ground_.executor, engine_->start(), [started = started_] { started.complete(true); });
}

Task<void> ControllersProcess::end() {
    auto stopping = informers_->stop();
    co_await stopping;
    co_await started_;
    auto ending = engine_->stop();
    co_await ending;
    engine_.reset();
    informers_.reset();
}

SchedulerProcess::~SchedulerProcess() = default;

void SchedulerProcess::start() {
    informers_ = client::Informers::make(api(), ground_.executor, ground_.random);
    scheduler_ = std::make_unique<scheduling::Scheduler>(scheduling::SchedulerOptions(), api(), *informers_,
                                                         ground_.executor, ground_.random);
    informers_->start();
    base::spawn(ground_.executor, scheduler_->run(), [ended = ended_] { ended.complete(true); });
}

Task<void> SchedulerProcess::end() {
    scheduler_->stop();
    auto stopping = informers_->stop();
    co_await stopping;
    co_await ended_;
    scheduler_.reset();
    informers_.reset();
}

}  // namespace keelson::sim
