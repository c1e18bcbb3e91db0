// The parts of the control plane that can die and be started again: controllers and scheduler, each with
// its own informers and its own way to the API.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "kernel/base/metrics.h"
#include "kernel/control/controllers.h"
#include "kernel/control/engine.h"
#include "kernel/scheduling/scheduler.h"
#include "tests/sim/faulty_client.h"

namespace keelson::sim {

// Puts something between a part and its way to the API, to see what a bug of that part would do. Null:
// nothing.
using Wrapper = std::function<std::unique_ptr<client::Client>(client::Client& real, Dice& dice)>;

struct Ground {
    base::Executor& executor;
    base::RandomSource& random;
    Faults& faults;
};

// One life of a part. Its way to the API stays until the end of the run, because something of the dead may
// still be on it.
class Process {
  public:
    Process(std::string name, client::Client& real, const Wrapper& wrapper, const Ground& ground);
    virtual ~Process() = default;
    virtual void start() = 0;
    // Nothing that it does from now on is seen by anybody; it is gone after a while.
    void crash();
    [[nodiscard]] bool is_gone() const { return is_gone_; }
    [[nodiscard]] virtual bool is_idle() const = 0;

  protected:
    // Ends what runs, then lets go of it.
    virtual base::Task<void> end() = 0;
    [[nodiscard]] client::Client& api() { return wrapped_ ? *wrapped_ : faulty_; }

    Ground ground_;
    FaultyClient faulty_;
    std::unique_ptr<client::Client> wrapped_;
    std::unique_ptr<client::Informers> informers_;

  private:
    base::Task<void> end_and_tell();
    bool is_gone_ = false;
};

class ControllersProcess final : public Process {
  public:
    using Process::Process;
    ~ControllersProcess() override;
    void start() override;
    [[nodiscard]] bool is_idle() const override { return engine_ && engine_->is_idle(); }

  private:
    base::Task<void> end() override;

    base::Metrics metrics_;
    std::unique_ptr<control::Surroundings> surroundings_;
    std::unique_ptr<control::Engine> engine_;
    base::Completion<bool> started_;
};

class SchedulerProcess final : public Process {
  public:
    using Process::Process;
    ~SchedulerProcess() override;
    void start() override;
    [[nodiscard]] bool is_idle() const override { return true; }

  private:
    base::Task<void> end() override;

    std::unique_ptr<scheduling::Scheduler> scheduler_;
    base::Completion<bool> ended_;
};

}  // namespace keelson::sim
