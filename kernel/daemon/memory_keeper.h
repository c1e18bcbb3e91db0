// A load leaves freed memory behind that the C library keeps: it is given back once the process is quiet
// again.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "kernel/base/executor.h"

namespace keelson::daemon {

class MemoryKeeper {
  public:
    // How much the process holds, and what gives back; both are called on a blocking thread.
    struct Memory {
        std::function<std::uint64_t()> held_bytes;
        std::function<void()> give_back;
    };
    // Of this process.
    [[nodiscard]] static Memory own();

    // Looks from now on until it is destroyed, every few seconds. The executor outlives it; a look that is
    // under way then still ends.
    MemoryKeeper(base::Executor& executor, Memory memory);
    ~MemoryKeeper();
    MemoryKeeper(const MemoryKeeper&) = delete;
    MemoryKeeper& operator=(const MemoryKeeper&) = delete;

  private:
    class Looks;
    std::shared_ptr<Looks> looks_;
};

}  // namespace keelson::daemon
