// When long work is to stop: the call was cancelled, its deadline has passed, or a sibling has failed.
#ifndef KEELSON_OCI_INTERRUPT_H
#define KEELSON_OCI_INTERRUPT_H

#include <atomic>
#include <chrono>
#include <functional>
#include <utility>

#include "keelson/call.hpp"

namespace keelson::oci {

// Thread-safe. The call must outlive it.
class Interrupt {
  public:
    using Clock = std::function<std::chrono::microseconds()>;

    Interrupt(const Call& call, Clock clock) : call_(call), clock_(std::move(clock)) {}

    // Throws Code::cancelled or Code::deadline_exceeded when the work is to stop.
    void check() const {
        if (stopped_.load(std::memory_order_relaxed))
            throw Error(Code::cancelled, "another part of it has failed");
        call_.check(clock_());
    }
    void stop() { stopped_ = true; }

  private:
    const Call& call_;
    Clock clock_;
    std::atomic<bool> stopped_ = false;
};

}  // namespace keelson::oci

#endif
