// One I/O thread: an Asio reactor that is also the Executor of every connection on it. Internal to the room;
// Asio stays in io_loop.cpp.
#pragma once

#include <memory>

#include "kernel/base/executor.h"

namespace keelson::api {

class IoLoop : public base::Executor {
  public:
    // Blocking work goes to `background`, the process's real executor; so does the question what time it is.
    explicit IoLoop(base::Executor& background);
    ~IoLoop() override;

    void run();   // serves on the calling thread until stop()
    void stop();  // thread-safe
    [[nodiscard]] bool on_own_thread() const;

    void post(base::Callback callback) override;
    std::shared_ptr<base::Timer> post_at(base::MonotonicTime when, base::Callback callback) override;
    void run_blocking(base::Callback work) override;
    [[nodiscard]] base::Clock& clock() override;

    struct Impl;
    [[nodiscard]] Impl& impl() { return *impl_; }

  private:
    std::unique_ptr<Impl> impl_;
};

// A non-blocking descriptor that the loop watches. Owned; closed on destruction. Loop's thread only.
class Descriptor {
  public:
    enum class Readiness : std::uint8_t { readable, writable };

    Descriptor(IoLoop& loop, int fd);
    ~Descriptor();

    [[nodiscard]] int fd() const;
    // Calls back once: true when ready, false when cancel() or close() came first.
    void wait(Readiness readiness, std::move_only_function<void(bool)> callback);
    void cancel();
    void close();

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// co_await ready(descriptor, readiness): true, or false when cancelled.
struct ready {
    Descriptor& descriptor;
    Descriptor::Readiness readiness;
    bool result = false;
    bool await_ready() const noexcept { return false; }
    template <typename Handle>
    void await_suspend(Handle handle) {
        descriptor.wait(readiness, [this, handle](bool ok) {
            result = ok;
            handle.resume();
        });
    }
    [[nodiscard]] bool await_resume() const noexcept { return result; }
};

}  // namespace keelson::api
