// The Executor of a running process: a few worker threads with one shared queue and timers, and a bounded
// pool of threads for blocking calls. Threads of the blocking pool start when they are first needed.
#pragma once

#include <cstddef>
#include <memory>

#include "kernel/base/executor.h"

namespace keelson::base {

class ThreadExecutor : public Executor {
  public:
    // Graceful end: drops timers that have not fired, runs everything that is queued (and what that queues in
    // turn, blocking work included), then joins all threads. Must not be called from one of its own threads.
    // After it, post() and run_blocking() destroy what they are given without running it. Calling it again
    // does nothing.
    virtual void stop() = 0;
};

// `threads` and `blocking_threads` are at least 1. The destructor calls stop().
[[nodiscard]] std::unique_ptr<ThreadExecutor> make_thread_executor(std::size_t threads,
                                                                   std::size_t blocking_threads);

}  // namespace keelson::base
