#include "kernel/daemon/memory_keeper.h"

#include <mutex>
#include <utility>

#include "kernel/base/memory.h"

namespace keelson::daemon {
namespace {

constexpr auto kInterval = std::chrono::seconds(5);
// So much more than after the last time is worth the work.
constexpr std::uint64_t kWorthBytes = 3u << 20;
// A process that takes or frees more between two looks is not quiet.
constexpr std::uint64_t kQuietBytes = 1u << 20;

}  // namespace

class MemoryKeeper::Looks : public std::enable_shared_from_this<Looks> {
  public:
    Looks(base::Executor& executor, Memory memory) : executor_(executor), memory_(std::move(memory)) {}

    void plan() {
        const std::lock_guard lock(mutex_);
        if (is_over_) return;
        timer_ = executor_.post_after(kInterval, [weak = weak_from_this()] {
            if (const auto self = weak.lock()) self->executor_.run_blocking([self] { self->look(); });
        });
    }
    void end() {
        const std::lock_guard lock(mutex_);
        is_over_ = true;
        if (timer_) timer_->cancel();
    }

  private:
    void look() {
        const std::uint64_t held = memory_.held_bytes();
        const std::uint64_t moved = held > before_ ? held - before_ : before_ - held;
        before_ = held;
        if (moved <= kQuietBytes && held > least_ + kWorthBytes) {
            memory_.give_back();
            before_ = least_ = memory_.held_bytes();
        }
        plan();
    }

    base::Executor& executor_;
    const Memory memory_;
    std::mutex mutex_;
    std::shared_ptr<base::Timer> timer_;
    bool is_over_ = false;
    // Of looks, which come one after another.
    std::uint64_t before_ = 0;
    std::uint64_t least_ = 0;  // after the last time
};

MemoryKeeper::Memory MemoryKeeper::own() {
    return {base::private_memory_bytes, base::return_free_memory};
}

MemoryKeeper::MemoryKeeper(base::Executor& executor, Memory memory)
    : looks_(std::make_shared<Looks>(executor, std::move(memory))) {
    looks_->plan();
}

MemoryKeeper::~MemoryKeeper() {
    looks_->end();
}

}  // namespace keelson::daemon
