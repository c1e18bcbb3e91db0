#include "kernel/plugin/remote_instance.h"

#include <dirent.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <set>
#include <thread>

#include "kernel/plugin/messages.h"
#include "kernel/plugin/remote_objects.h"
#include "sdk/host_protocol/launch.h"

namespace keelson::plugin {
namespace {

using base::Completion;
using base::FileDescriptor;
using base::Reason;
using base::Result;
using base::Status;
using base::Task;

constexpr auto kLeaveTimeout = std::chrono::seconds(10);
// A call that is still running this long after its deadline has hung.
constexpr auto kStuckGrace = std::chrono::seconds(5);
constexpr std::size_t kInlineRequestBytes = 64 << 10;

// --- processes ---

host_protocol::HostCommand command_for(const LaunchSettings& settings, const PluginCgroup& cgroup,
                                       const HostServices& services) {
    host_protocol::HostCommand command;
    command.program = settings.program;
    command.name = settings.name;
    command.library = settings.library;
    command.id = settings.id;
    command.version = settings.version;
    command.sha256 = settings.sha256;
    command.state_directory = settings.state_directory;
    command.node_name = settings.node_name;
    command.concurrent_calls = settings.limits.concurrent_calls;
    command.orphan_grace_seconds = settings.orphan_grace_seconds;
    command.cgroups = cgroup.directories();
    command.capabilities = settings.privileges.capabilities;
    command.seccomp = settings.privileges.seccomp;
    command.offers_objects = services.objects != nullptr;
    command.checks_documents = settings.checks_documents;
    return command;
}

class Process {
  public:
    Process(pid_t number, bool is_child, PluginCgroup cgroup)
        : number_(number),
          is_child_(is_child),
          handle_(static_cast<int>(::syscall(SYS_pidfd_open, number, 0))),
          cgroup_(std::move(cgroup)) {}
    [[nodiscard]] pid_t number() const { return number_; }
    // The handle makes sure that it is still the same process.
    void kill() const {
        if (handle_) ::syscall(SYS_pidfd_send_signal, handle_.get(), SIGKILL, nullptr, 0);
        cgroup_.kill_all();
    }
    // Takes leave of what is dead. Blocks until it is.
    void bury() {
        kill();
        if (is_child_) ::waitpid(number_, nullptr, 0);
        cgroup_.remove();
    }

  private:
    pid_t number_;
    bool is_child_;
    FileDescriptor handle_;
    PluginCgroup cgroup_;
};

// --- the instance ---

class Connected final : public RemoteInstance, public std::enable_shared_from_this<Connected> {
  public:
    Connected(std::shared_ptr<FrameSocket> socket, Hello hello, Process process, std::string socket_path,
              HostServices services, base::Executor& executor)
        : socket_(std::move(socket)),
          hello_(std::move(hello)),
          process_(std::move(process)),
          socket_path_(std::move(socket_path)),
          services_(std::move(services)),
          executor_(executor),
          objects_(std::make_shared<RemoteObjects>(services_.objects, socket_, executor)) {
        if (auto methods = MethodSet::decode(hello_.methods)) methods_ = *methods;
        std::random_device random;
        next_id_ = std::uint64_t{random()} << 32;  // apart from those of an earlier kernel
        reader_ = std::thread([this] { read_frames(); });
    }
    ~Connected() override {
        expected_ = true;
        socket_->shut_down();
        reader_.join();
    }

    const MethodSet& methods() const override { return methods_; }
    int process_id() const override { return process_.number(); }
    const Hello& hello() const override { return hello_; }

    void on_lost(std::function<void(std::string)> callback) override {
        const std::lock_guard lock(mutex_);
        if (is_lost_)
            executor_.post([callback = std::move(callback), why = why_] { callback(why); });
        else
            on_lost_ = std::move(callback);
    }

    Task<Result<Outcome>> call(InstanceCall call) override {
        Frame frame;
        frame.type = FrameType::call;
        frame.capability = call.method.capability;
        frame.method = call.method.method;
        frame.text = std::move(call.traceparent);
        frame.body = std::move(call.request);
        const auto deadline = executor_.clock().now() + call.timeout;
        frame.deadline_us =
            std::chrono::duration_cast<std::chrono::microseconds>(deadline.time_since_epoch()).count();
        Completion<Result<Outcome>> done;
        KEELSON_CO_TRY(frame.id, enter(done));
        auto timer =
            executor_.post_at(deadline, [weak = weak_from_this(), id = frame.id, method = call.method] {
                if (const auto self = weak.lock()) self->give_up(id, method);
            });
        host_protocol::Result<void> sent;
        if (frame.body.size() <= kInlineRequestBytes) {
            sent = socket_->write(frame, call.descriptors);
        } else {
            auto write = [&] { return socket_->write(frame, call.descriptors); };
            auto writing = base::blocking(write);
            sent = co_await writing;
        }
        if (!sent) finish(frame.id, status_of(sent.error()));
        auto outcome = co_await done;
        timer->cancel();
        co_return outcome;
    }

    void kill(const std::string& why) override {
        {
            const std::lock_guard lock(mutex_);
            if (why_.empty()) why_ = why;
        }
        process_.kill();
    }

    void leave() override {
        expected_ = true;
        Frame frame;
        frame.type = FrameType::leave;
        (void)socket_->write(frame);
        std::unique_lock lock(mutex_);
        const bool gone = gone_.wait_for(lock, kLeaveTimeout, [this] { return is_lost_; });
        lock.unlock();
        if (!gone) process_.kill();
        bury();
    }

    void detach() override {
        expected_ = true;
        socket_->shut_down();
    }

  private:
    Result<std::uint64_t> enter(const Completion<Result<Outcome>>& done) {
        const std::lock_guard lock(mutex_);
        if (is_lost_) return lost_status();
        const std::uint64_t id = ++next_id_;
        pending_.emplace(id, done);
        return id;
    }
    Status lost_status() const {
        return {Reason::service_unavailable, "the plugin ended during the call: " + why_};
    }

    void finish(std::uint64_t id, Result<Outcome> outcome) {
        std::optional<Completion<Result<Outcome>>> done;
        {
            const std::lock_guard lock(mutex_);
            stuck_.erase(id);
            if (auto node = pending_.extract(id)) done = std::move(node.mapped());
        }
        if (done) done->complete(std::move(outcome));
    }

    // The caller gets its answer; the plugin gets some more time to notice.
    void give_up(std::uint64_t id, MethodId method) {
        std::optional<Completion<Result<Outcome>>> done;
        {
            const std::lock_guard lock(mutex_);
            auto node = pending_.extract(id);
            if (!node) return;
            done = std::move(node.mapped());
            stuck_.insert(id);
        }
        done->complete(Status(Reason::timeout, method_text(method) + " did not answer in time"));
        Frame cancel;
        cancel.type = FrameType::cancel;
        cancel.id = id;
        (void)socket_->write(cancel);
        executor_.post_after(kStuckGrace, [weak = weak_from_this(), id, method] {
            if (const auto self = weak.lock()) self->end_when_stuck(id, method);
        });
    }

    void end_when_stuck(std::uint64_t id, MethodId method) {
        {
            const std::lock_guard lock(mutex_);
            if (!stuck_.contains(id)) return;
        }
        kill(method_text(method) + " did not end after its deadline");
    }

    // --- the reader's thread ---

    void read_frames() {
        while (true) {
            auto frame = socket_->read();
            if (!frame) {
                lose(frame.error().text);
                return;
            }
            take(std::move(*frame));
        }
    }

    void take(Frame frame) {
        switch (frame.type) {
            case FrameType::reply: {
                const std::uint64_t id = frame.id;
                finish(id, outcome_of(std::move(frame)));
                break;
            }
            case FrameType::objects_call:
                objects_->take_call(std::move(frame));
                break;
            case FrameType::objects_cancel:
                objects_->take_cancel(frame.id);
                break;
            case FrameType::log:
                services_.log(frame.code, frame.body);
                break;
            case FrameType::metric:
                take_metric(frame);
                break;
            case FrameType::event:
                services_.event(frame.body);
                break;
            case FrameType::reconcile:
                services_.reconcile(frame.body);
                break;
            default:
                break;  // of a later version
        }
    }

    static Outcome outcome_of(Frame frame) {
        Outcome outcome{frame.code, std::move(frame.body), {}};
        for (Descriptor& descriptor : frame.descriptors)
            outcome.descriptors.emplace_back(descriptor.release());
        return outcome;
    }

    void take_metric(const Frame& frame) {
        const auto document = nlohmann::json::parse(frame.body, nullptr, false);
        if (!document.is_object() || !document.contains("value") || !document["value"].is_number()) return;
        const auto labels = document.value("labels", std::string());
        services_.metric(frame.code, frame.text, document["value"].get<double>(), labels);
    }

    void lose(std::string why) {
        std::map<std::uint64_t, Completion<Result<Outcome>>> waiting;
        std::function<void(std::string)> tell;
        {
            const std::lock_guard lock(mutex_);
            is_lost_ = true;
            if (why_.empty()) why_ = std::move(why);
            waiting.swap(pending_);
            tell = std::move(on_lost_);
        }
        gone_.notify_all();
        objects_->end();
        if (!expected_) bury();
        for (auto& [id, done] : waiting) done.complete(lost_status());
        if (tell && !expected_) executor_.post([tell = std::move(tell), why = why_] { tell(why); });
    }

    void bury() {
        const std::lock_guard lock(bury_mutex_);
        if (std::exchange(is_buried_, true)) return;
        process_.bury();
        ::unlink(socket_path_.c_str());
    }

    const std::shared_ptr<FrameSocket> socket_;
    const Hello hello_;
    Process process_;
    const std::string socket_path_;
    const HostServices services_;
    base::Executor& executor_;
    const std::shared_ptr<RemoteObjects> objects_;
    MethodSet methods_;

    std::mutex mutex_;
    std::condition_variable gone_;
    std::uint64_t next_id_ = 0;
    std::map<std::uint64_t, Completion<Result<Outcome>>> pending_;
    std::set<std::uint64_t> stuck_;  // given up, but the plugin is still at it
    std::function<void(std::string)> on_lost_;
    std::string why_;
    bool is_lost_ = false;
    std::mutex bury_mutex_;
    bool is_buried_ = false;
    std::atomic<bool> expected_{false};
    std::thread reader_;
};

std::string random_suffix() {
    std::random_device random;
    std::string text;
    for (int i = 0; i < 8; ++i) text += "abcdefghijklmnopqrstuvwxyz234567"[random() & 31];
    return text;
}

}  // namespace

Result<std::shared_ptr<RemoteInstance>> launch_instance(const LaunchSettings& settings, HostServices services,
                                                        base::Executor& executor) {
    const std::string name = settings.name + "." + random_suffix() + ".sock";
    const std::string path = settings.run_directory + "/" + name;
    auto listener = host_protocol::listen_at(settings.run_directory, name);
    if (!listener) return status_of(listener.error());
    PluginCgroup cgroup = PluginCgroup::make(name.substr(0, name.size() - 5), settings.limits);
    const auto command = command_for(settings, cgroup, services);
    const auto process = host_protocol::spawn_host(command, listener->get());
    if (!process) {
        ::unlink(path.c_str());
        cgroup.remove();
        return status_of(process.error());
    }
    Process started(*process, true, cgroup);
    auto give_up = [&](const Status& why) {
        started.bury();
        ::unlink(path.c_str());
        return why;
    };
    auto connected = host_protocol::connect_to(settings.run_directory, name);
    if (!connected) return give_up(status_of(connected.error()));
    // Only the process listens now: when it ends before it has introduced itself, so does the connection.
    listener->reset();
    auto socket = std::make_shared<FrameSocket>(std::move(*connected));
    auto hello = host_protocol::receive_hello(*socket);
    if (!hello) return give_up(status_of(hello.error()));
    if (!hello->failure.empty()) return give_up(Status(Reason::bad_request, hello->failure));
    return std::shared_ptr<RemoteInstance>(std::make_shared<Connected>(
        std::move(socket), std::move(*hello), std::move(started), path, std::move(services), executor));
}

namespace {

std::vector<std::string> socket_names(const LaunchSettings& settings) {
    std::vector<std::string> names;
    if (DIR* directory = ::opendir(settings.run_directory.c_str())) {
        while (const dirent* entry = ::readdir(directory)) {
            const std::string name = entry->d_name;
            if (name.starts_with(settings.name + ".") && name.ends_with(".sock")) names.push_back(name);
        }
        ::closedir(directory);
    }
    return names;
}

}  // namespace

std::vector<std::shared_ptr<RemoteInstance>> find_instances(const LaunchSettings& settings,
                                                            const HostServices& services,
                                                            base::Executor& executor) {
    std::vector<std::shared_ptr<RemoteInstance>> found;
    for (const std::string& name : socket_names(settings)) {
        const std::string path = settings.run_directory + "/" + name;
        auto connected = host_protocol::connect_to(settings.run_directory, name);
        if (!connected) {
            ::unlink(path.c_str());
            continue;
        }
        auto socket = std::make_shared<FrameSocket>(std::move(*connected));
        auto hello = host_protocol::receive_hello(*socket);
        if (!hello) {
            ::unlink(path.c_str());  // whatever it is, it is no plugin of ours
            continue;
        }
        Process running(hello->process_id, false,
                        PluginCgroup::make(name.substr(0, name.size() - 5), settings.limits));
        if (!hello->failure.empty()) {
            running.bury();
            ::unlink(path.c_str());
            continue;
        }
        found.push_back(std::make_shared<Connected>(std::move(socket), std::move(*hello), std::move(running),
                                                    path, services, executor));
    }
    return found;
}

}  // namespace keelson::plugin
