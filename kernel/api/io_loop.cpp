#include "kernel/api/io_loop.h"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace keelson::api {

namespace asio = boost::asio;

struct IoLoop::Impl {
    explicit Impl(base::Executor& executor) : background(executor), work(asio::make_work_guard(context)) {}

    void post(base::Callback callback) {
        bool first = false;
        {
            const std::lock_guard lock(mutex);
            first = posted.empty();
            posted.push_back(std::move(callback));
        }
        if (first) asio::post(context, [this] { run_posted(); });
    }
    void run_posted() {
        {
            const std::lock_guard lock(mutex);
            running.swap(posted);
        }
        for (base::Callback& callback : running) std::exchange(callback, {})();
        running.clear();
        if (running.capacity() > kKeptCallbacks) std::vector<base::Callback>().swap(running);
    }

    // The room for so many callbacks is kept.
    static constexpr std::size_t kKeptCallbacks = 4096;

    base::Executor& background;
    asio::io_context context{1};
    asio::executor_work_guard<asio::io_context::executor_type> work;
    std::atomic<std::thread::id> thread;
    // Callbacks wait here, and Asio is told of the first of them only: one event wakes a thousand watches,
    // and Asio would allocate memory and look for a thread to wake for each.
    std::mutex mutex;
    std::vector<base::Callback> posted;
    std::vector<base::Callback> running;  // on the loop's thread
};

namespace {

// The asio timer is touched by the loop's thread only; cancel() from elsewhere is posted there.
class LoopTimer : public base::Timer, public std::enable_shared_from_this<LoopTimer> {
  public:
    LoopTimer(asio::io_context& context, base::Callback callback)
        : context_(context), timer_(context), callback_(std::move(callback)) {}

    void start(base::MonotonicTime when) {
        asio::dispatch(context_, [self = shared_from_this(), when] {
            if (self->cancelled_.load(std::memory_order_relaxed)) return;
            self->timer_.expires_at(std::chrono::time_point_cast<asio::steady_timer::duration>(when));
            self->timer_.async_wait([self](const boost::system::error_code& error) {
                if (error || self->cancelled_.exchange(true)) return;
                auto callback = std::move(self->callback_);
                callback();
            });
        });
    }
    void cancel() override {
        if (cancelled_.exchange(true)) return;
        asio::post(context_, [self = shared_from_this()] {
            self->timer_.cancel();
            self->callback_ = {};
        });
    }

  private:
    asio::io_context& context_;
    asio::steady_timer timer_;
    base::Callback callback_;
    std::atomic<bool> cancelled_{false};
};

}  // namespace

IoLoop::IoLoop(base::Executor& background) : impl_(std::make_unique<Impl>(background)) {}
IoLoop::~IoLoop() = default;

void IoLoop::run() {
    impl_->thread = std::this_thread::get_id();
    impl_->context.run();
}
void IoLoop::stop() {
    impl_->context.stop();
}
bool IoLoop::on_own_thread() const {
    return impl_->thread.load() == std::this_thread::get_id();
}
void IoLoop::post(base::Callback callback) {
    impl_->post(std::move(callback));
}
std::shared_ptr<base::Timer> IoLoop::post_at(base::MonotonicTime when, base::Callback callback) {
    auto timer = std::make_shared<LoopTimer>(impl_->context, std::move(callback));
    timer->start(when);
    return timer;
}
void IoLoop::run_blocking(base::Callback work) {
    impl_->background.run_blocking(std::move(work));
}
base::Clock& IoLoop::clock() {
    return impl_->background.clock();
}

struct Descriptor::Impl {
    Impl(asio::io_context& context, int fd) : stream(context, fd) {}
    asio::posix::stream_descriptor stream;
};

Descriptor::Descriptor(IoLoop& loop, int fd) : impl_(std::make_unique<Impl>(loop.impl().context, fd)) {}
Descriptor::~Descriptor() = default;

int Descriptor::fd() const {
    return impl_->stream.native_handle();
}
void Descriptor::wait(Readiness readiness, std::move_only_function<void(bool)> callback) {
    using Stream = asio::posix::stream_descriptor;
    if (!impl_->stream.is_open()) {
        asio::post(impl_->stream.get_executor(),
                   [callback = std::move(callback)]() mutable { callback(false); });
        return;
    }
    impl_->stream.async_wait(readiness == Readiness::readable ? Stream::wait_read : Stream::wait_write,
                             [callback = std::move(callback)](
                                 const boost::system::error_code& error) mutable { callback(!error); });
}
void Descriptor::cancel() {
    boost::system::error_code ignored;
    impl_->stream.cancel(ignored);
}
void Descriptor::close() {
    boost::system::error_code ignored;
    impl_->stream.close(ignored);
}

}  // namespace keelson::api
