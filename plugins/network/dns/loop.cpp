#include "loop.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <exception>
#include <string>

#include "keelson/error.hpp"

namespace keelson::name_server {
namespace {

constexpr int tick_ms = 100;

}  // namespace

Loop::Loop() : poll_(::epoll_create1(EPOLL_CLOEXEC)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!poll_ || !wake_)
        throw Error(Code::exhausted, std::string("cannot wait for sockets: ") + std::strerror(errno));
    watch(wake_.get(), EPOLLIN, [this](std::uint32_t) { run_posted(); });
    // Signals are the host's.
    sigset_t all, before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([this] { serve(); });
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Loop::~Loop() {
    run([this] { is_ending_ = true; });
    thread_.join();
}

std::uint64_t Loop::watch(int descriptor, std::uint32_t events, Handler handler) {
    const std::uint64_t id = next_++;
    epoll_event event{};
    event.events = events;
    event.data.u64 = id;
    if (::epoll_ctl(poll_.get(), EPOLL_CTL_ADD, descriptor, &event) != 0)
        throw Error(Code::exhausted, std::string("cannot wait for a socket: ") + std::strerror(errno));
    handlers_[id] = std::make_shared<Handler>(std::move(handler));
    return id;
}

void Loop::change(std::uint64_t id, int descriptor, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = id;
    ::epoll_ctl(poll_.get(), EPOLL_CTL_MOD, descriptor, &event);
}

void Loop::forget(std::uint64_t id, int descriptor) {
    ::epoll_ctl(poll_.get(), EPOLL_CTL_DEL, descriptor, nullptr);
    handlers_.erase(id);
}

void Loop::run(const std::function<void()>& work) {
    std::mutex mutex;
    std::condition_variable condition;
    bool is_done = false;
    std::exception_ptr problem;
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        posted_.emplace_back([&] {
            try {
                work();
            } catch (...) {
                problem = std::current_exception();
            }
            const std::lock_guard<std::mutex> done(mutex);
            is_done = true;
            condition.notify_one();
        });
    }
    const std::uint64_t one = 1;
    (void)!::write(wake_.get(), &one, sizeof one);
    std::unique_lock<std::mutex> lock(mutex);
    condition.wait(lock, [&] { return is_done; });
    if (problem) std::rethrow_exception(problem);
}

void Loop::run_posted() {
    std::uint64_t count = 0;
    (void)!::read(wake_.get(), &count, sizeof count);
    std::vector<std::function<void()>> posted;
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        posted.swap(posted_);
    }
    for (const auto& work : posted) work();
}

void Loop::serve() {
    std::array<epoll_event, 64> events{};
    Clock::time_point next_tick = Clock::now();
    while (!is_ending_) {
        const int count =
            ::epoll_wait(poll_.get(), events.data(), int(events.size()), is_ticking_ ? tick_ms : -1);
        for (int i = 0; i < count; ++i) {
            const auto found = handlers_.find(events[std::size_t(i)].data.u64);
            if (found == handlers_.end()) continue;
            // A handler may forget itself.
            const std::shared_ptr<Handler> handler = found->second;
            (*handler)(events[std::size_t(i)].events);
        }
        if (!is_ticking_) continue;
        const Clock::time_point now = Clock::now();
        if (now < next_tick) continue;
        next_tick = now + std::chrono::milliseconds(tick_ms);
        is_ticking_ = false;
        for (const auto& tick : ticks_)
            if (tick(now)) is_ticking_ = true;
    }
}

}  // namespace keelson::name_server
