#include "kernel/plugin/host_server.h"

#include <fcntl.h>
#include <keelson/entry.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "kernel/plugin/contract.h"
#include "kernel/plugin/kernel_objects.h"
#include "kernel/plugin/local_plugin.h"
#include "kernel/plugin/messages.h"
#include "kernel/plugin/protocol.h"

namespace keelson::plugin {
namespace {

using base::FileDescriptor;
using Clock = std::chrono::steady_clock;

// What is said while no kernel is there, kept for the next one.
constexpr std::size_t kKeptLines = 200;
// A plugin that floods the log loses lines.
constexpr int kLinesPerSecond = 500;
constexpr std::size_t kLineBytes = 8 << 10;
// More than calls, so that there is always somebody to read: a cancellation, a question about health, an
// answer that a call waits for; also while calls that nobody waits for any more are still at it.
constexpr std::uint32_t kSpareThreads = 4;
// So many that wait for their turn to read are enough after a load.
constexpr std::uint32_t kMostIdleThreads = 4;

std::int64_t microseconds(auto time) {
    return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
}

class Server {
  public:
    explicit Server(HostServerSettings settings) : settings_(std::move(settings)) {}

    int run() {
        capture_output();
        failure_ = settings_.failure;
        if (failure_.empty()) load();
        add_thread();
        while (wait_for_kernel()) accept_kernel();
        // Threads of the plugin may never end: whatever it wanted to keep is in its state directory.
        std::_Exit(0);
    }

  private:
    using Cancel = std::shared_ptr<std::int32_t>;

    void load() {
        auto loaded = load_plugin(settings_.library, settings_.id, settings_.version, services());
        if (loaded)
            plugin_ = std::move(*loaded);
        else
            failure_ = loaded.error().message();
    }

    HostServices services() {
        HostServices services;
        services.state_directory = settings_.state_directory;
        services.node_name = settings_.node_name;
        services.log = [this](int level, std::string_view message) { say(level, message); };
        services.metric = [this](int kind, std::string_view name, double value, std::string_view labels) {
            Frame frame;
            frame.type = FrameType::metric;
            frame.code = kind;
            frame.text = name;
            frame.body = nlohmann::json{{"value", value}, {"labels", labels}}.dump(
                -1, ' ', false, nlohmann::json::error_handler_t::replace);
            (void)send(frame);
        };
        services.event = [this](std::string_view event) { send_text(FrameType::event, event); };
        services.reconcile = [this](std::string_view key) { send_text(FrameType::reconcile, key); };
        services.monotonic_us = [] { return microseconds(Clock::now()); };
        services.unix_us = [] { return microseconds(std::chrono::system_clock::now()); };
        if (settings_.offers_objects) services.objects = objects_;
        return services;
    }

    // --- what goes to the kernel ---

    std::shared_ptr<FrameSocket> connection() {
        const std::lock_guard lock(mutex_);
        return connection_;
    }
    // False when no kernel is there. One that has just gone is noticed by the reader.
    bool send(const Frame& frame) {
        const auto peer = connection();
        return peer && peer->write(frame);
    }
    void send_text(FrameType type, std::string_view body) {
        Frame frame;
        frame.type = type;
        frame.body = body;
        (void)send(frame);
    }
    void say(int level, std::string_view line) {
        Frame frame;
        frame.type = FrameType::log;
        frame.code = level;
        frame.body = line.substr(0, kLineBytes);
        std::shared_ptr<FrameSocket> peer;
        {
            const std::lock_guard lock(mutex_);
            if (!may_say()) return;
            peer = connection_;
            if (!peer) {
                kept_lines_.push_back(std::move(frame));
                if (kept_lines_.size() > kKeptLines) kept_lines_.pop_front();
                return;
            }
        }
        (void)peer->write(frame);
    }
    bool may_say() {
        const auto second = microseconds(Clock::now()) / 1'000'000;
        if (second != line_second_) {
            line_second_ = second;
            lines_said_ = 0;
        }
        return ++lines_said_ <= kLinesPerSecond;
    }

    // --- standard output and error of the plugin become log lines ---

    void capture_output() {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0) return;
        ::dup2(ends[1], STDOUT_FILENO);
        ::dup2(ends[1], STDERR_FILENO);
        ::close(ends[1]);
        std::thread([this, end = ends[0]] { read_output(end); }).detach();
    }
    void read_output(int end) {
        std::string line;
        char buffer[4096];
        for (ssize_t count; (count = ::read(end, buffer, sizeof buffer)) > 0;) {
            for (ssize_t i = 0; i < count; ++i) {
                if (buffer[i] != '\n' && line.size() < kLineBytes) {
                    line += buffer[i];
                } else {
                    if (!line.empty()) say(1, line);
                    line.clear();
                }
            }
        }
    }

    // --- the kernel comes and goes ---

    // False when nobody has come for too long.
    bool wait_for_kernel() {
        constexpr std::uint32_t kLookSeconds = 10;
        const std::uint32_t grace = settings_.orphan_grace_seconds;
        const int timeout_ms = grace == 0 ? -1 : static_cast<int>(std::min(grace, kLookSeconds) * 1000);
        while (true) {
            pollfd wanted{settings_.listener, POLLIN, 0};
            if (::poll(&wanted, 1, timeout_ms) > 0) return true;
            if (grace > 0 && alone_for() > std::chrono::seconds(grace)) {
                leave();
                return false;
            }
        }
    }

    Clock::duration alone_for() {
        const std::lock_guard lock(mutex_);
        return connection_ ? Clock::duration::zero() : Clock::now() - alone_since_;
    }

    void accept_kernel() {
        Descriptor socket(::accept4(settings_.listener, nullptr, nullptr, SOCK_CLOEXEC));
        if (!socket) return;
        ucred peer{};
        socklen_t size = sizeof peer;
        if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || peer.uid != ::geteuid())
            return;
        auto fresh = std::make_shared<FrameSocket>(std::move(socket));
        Frame hello;
        hello.type = FrameType::hello;
        hello.body = introduce();
        if (!fresh->write(hello)) return;
        std::deque<Frame> lines;
        {
            const std::lock_guard lock(mutex_);
            if (connection_) connection_->shut_down();
            connection_ = fresh;
            lines.swap(kept_lines_);
        }
        for (const Frame& line : lines) (void)fresh->write(line);
        connected_.notify_all();
    }

    std::string introduce() {
        Hello hello;
        hello.protocol = host_protocol::kProtocol;
        hello.process_id = ::getpid();
        hello.id = settings_.id;
        hello.version = settings_.version;
        hello.sha256 = settings_.sha256;
        hello.failure = failure_;
        if (plugin_) hello.methods = plugin_->methods().encode();
        const std::lock_guard lock(mutex_);
        hello.started = started_;
        hello.config = config_;
        hello.node_name = settings_.node_name;
        return encode(hello);
    }

    void lose(const std::shared_ptr<FrameSocket>& lost) {
        {
            const std::lock_guard lock(mutex_);
            if (connection_ == lost) {
                connection_.reset();
                alone_since_ = Clock::now();
            }
            for (const auto& [id, cancel] : calls_) __atomic_store_n(cancel.get(), 1, __ATOMIC_RELAXED);
        }
        objects_->lose();
    }

    // --- calls: whoever reads a frame carries it out, and another reads the next ---

    void add_thread() {
        ++threads_;
        std::thread([this] { work(); }).detach();
    }

    void work() {
        while (true) {
            ++idle_;
            std::unique_lock reading(read_mutex_);
            --idle_;
            const std::shared_ptr<FrameSocket> peer = wait_for_connection();
            auto frame = peer->read();
            if (!frame) {
                lose(peer);
                continue;
            }
            const bool is_call = frame->type == FrameType::call;
            if (is_call) begin(frame->id);
            const bool alone = idle_.load() == 0;
            reading.unlock();
            if (is_call) {
                if (alone && threads_ < settings_.concurrent_calls + kSpareThreads) add_thread();
                carry_out(*frame, *peer);
                // What a thread has used of its stack stays in memory until it ends.
                if (idle_ >= kMostIdleThreads) {
                    --threads_;
                    return;
                }
            } else {
                note(std::move(*frame));
            }
        }
    }

    std::shared_ptr<FrameSocket> wait_for_connection() {
        std::unique_lock lock(mutex_);
        connected_.wait(lock, [this] { return connection_ != nullptr; });
        return connection_;
    }

    void begin(std::uint64_t id) {
        const std::lock_guard lock(mutex_);
        calls_[id] = std::make_shared<std::int32_t>(0);
    }
    Cancel cancel_of(std::uint64_t id) {
        const std::lock_guard lock(mutex_);
        const auto found = calls_.find(id);
        return found == calls_.end() ? nullptr : found->second;
    }

    void carry_out(const Frame& frame, FrameSocket& peer) {
        const Cancel cancel = cancel_of(frame.id);
        Invocation invocation;
        invocation.method = {frame.capability, frame.method};
        invocation.request = frame.body;
        invocation.deadline_us = frame.deadline_us;
        invocation.cancelled = cancel.get();
        invocation.traceparent = frame.text.c_str();
        for (const Descriptor& descriptor : frame.descriptors)
            invocation.descriptors.push_back(descriptor.get());
        Outcome outcome = invoke(invocation);
        if (outcome.code == 0) note_life(invocation);
        Frame reply;
        reply.type = FrameType::reply;
        reply.id = frame.id;
        reply.code = outcome.code;
        reply.body = std::move(outcome.body);
        std::vector<int> descriptors;
        for (const FileDescriptor& descriptor : outcome.descriptors) descriptors.push_back(descriptor.get());
        {
            const std::lock_guard lock(mutex_);
            calls_.erase(frame.id);
        }
        (void)peer.write(reply, descriptors);
    }

    Outcome invoke(const Invocation& invocation) {
        if (!plugin_) return {KEELSON_INTERNAL, error_document(failure_), {}};
        if (!settings_.checks_documents) return plugin_->invoke(invocation);
        auto wrong = [](const base::Status& why) {
            return Outcome{KEELSON_INTERNAL, error_document(why.message()), {}};
        };
        if (const auto kept = check_contract(invocation.method, Document::request, invocation.request); !kept)
            return wrong(kept.error());
        Outcome outcome = plugin_->invoke(invocation);
        if (outcome.code != KEELSON_OK) return outcome;
        if (const auto kept = check_contract(invocation.method, Document::reply, outcome.body); !kept)
            return wrong(kept.error());
        return outcome;
    }

    void note_life(const Invocation& invocation) {
        const std::lock_guard lock(mutex_);
        if (invocation.method == kStart) {
            started_ = true;
            config_ = invocation.request;
        } else if (invocation.method == kStop) {
            started_ = false;
        }
    }

    void note(Frame frame) {
        if (frame.type == FrameType::objects_reply) {
            objects_->take_reply(std::move(frame));
        } else if (frame.type == FrameType::cancel) {
            if (const Cancel cancel = cancel_of(frame.id))
                __atomic_store_n(cancel.get(), 1, __ATOMIC_RELAXED);
        } else if (frame.type == FrameType::leave) {
            leave();
            std::_Exit(0);
        }
    }

    void leave() {
        bool started = false;
        {
            const std::lock_guard lock(mutex_);
            started = std::exchange(started_, false);
        }
        if (!started || !plugin_) return;
        Invocation stop;
        stop.method = kStop;
        stop.request = "{}";
        (void)plugin_->invoke(stop);
    }

    const HostServerSettings settings_;
    const std::shared_ptr<KernelObjects> objects_ =
        std::make_shared<KernelObjects>([this](const Frame& frame) { return send(frame); });
    std::unique_ptr<LocalPlugin> plugin_;
    std::string failure_;

    std::mutex read_mutex_;  // before mutex_
    std::mutex mutex_;
    std::condition_variable connected_;
    std::shared_ptr<FrameSocket> connection_;
    Clock::time_point alone_since_ = Clock::now();
    std::map<std::uint64_t, Cancel> calls_;
    std::deque<Frame> kept_lines_;
    std::int64_t line_second_ = 0;
    int lines_said_ = 0;
    bool started_ = false;
    std::string config_;
    std::atomic<std::uint32_t> threads_{0};
    std::atomic<std::uint32_t> idle_{0};  // that wait for their turn to read
};

}  // namespace

int serve_plugin(HostServerSettings settings) {
    return Server(std::move(settings)).run();
}

}  // namespace keelson::plugin
