// One thread that waits for descriptors; everything that answers questions lives in it, so nothing there is
// locked.
#ifndef KEELSON_DNS_LOOP_H
#define KEELSON_DNS_LOOP_H

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "keelson/call.hpp"

namespace keelson::name_server {

class Loop {
  public:
    using Clock = std::chrono::steady_clock;
    using Handler = std::function<void(std::uint32_t events)>;

    Loop();
    ~Loop();  // ends the thread; what is watched is forgotten
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    // In the thread of the loop, from here on.
    std::uint64_t watch(int descriptor, std::uint32_t events, Handler handler);
    void change(std::uint64_t id, int descriptor, std::uint32_t events);
    void forget(std::uint64_t id, int descriptor);
    // Called about ten times a second for as long as it returns true; again after wake_ticks().
    void on_tick(std::function<bool(Clock::time_point now)> tick) { ticks_.push_back(std::move(tick)); }
    void wake_ticks() { is_ticking_ = true; }

    // In any other thread: runs the work in the loop's and waits for it. What it throws is thrown here.
    void run(const std::function<void()>& work);

  private:
    void serve();
    void run_posted();

    Descriptor poll_;
    Descriptor wake_;
    std::uint64_t next_ = 1;
    std::map<std::uint64_t, std::shared_ptr<Handler>> handlers_;
    std::vector<std::function<bool(Clock::time_point)>> ticks_;
    bool is_ticking_ = false;

    std::mutex mutex_;
    std::vector<std::function<void()>> posted_;
    bool is_ending_ = false;
    std::thread thread_;
};

// The handle of something watched; forgets it at its end.
class Watch {
  public:
    Watch() = default;
    Watch(Loop& loop, int descriptor, std::uint32_t events, Loop::Handler handler)
        : loop_(&loop), descriptor_(descriptor), id_(loop.watch(descriptor, events, std::move(handler))) {}
    ~Watch() { reset(); }
    Watch(Watch&& other) noexcept { *this = std::move(other); }
    Watch& operator=(Watch&& other) noexcept {
        if (this == &other) return *this;
        reset();
        loop_ = std::exchange(other.loop_, nullptr);
        descriptor_ = other.descriptor_;
        id_ = other.id_;
        return *this;
    }
    void change(std::uint32_t events) { loop_->change(id_, descriptor_, events); }
    void reset() {
        if (loop_ != nullptr) loop_->forget(id_, descriptor_);
        loop_ = nullptr;
    }

  private:
    Loop* loop_ = nullptr;
    int descriptor_ = -1;
    std::uint64_t id_ = 0;
};

}  // namespace keelson::name_server

#endif
