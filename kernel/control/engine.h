// The reconcile loop: runs controllers on one executor.
#pragma once

#include <memory>

#include "kernel/control/controller.h"

namespace keelson::control {

class Engine {
  public:
    // The executor must run one callback at a time and outlive the engine, as must everything in
    // `surroundings`.
    [[nodiscard]] static std::unique_ptr<Engine> make(const Surroundings& surroundings);
    virtual ~Engine() = default;

    // Before start(). `workers` keys of this controller are in work at the same time, each waiting for its
    // writes.
    virtual void add(std::unique_ptr<Controller> controller, std::size_t workers = 8) = 0;
    // Returns once all informers have their first state and the workers run.
    virtual base::Task<void> start() = 0;
    // Ends the workers after what they are doing; the informers go on. Nothing of the engine runs afterwards.
    virtual base::Task<void> stop() = 0;
    // No key is waiting, held back or in work; keys that are to come later may be there.
    [[nodiscard]] virtual bool is_idle() const = 0;
};

}  // namespace keelson::control
