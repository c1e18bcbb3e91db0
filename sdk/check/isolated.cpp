#include "isolated.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstdio>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>

#include "board.h"
#include "child.h"
#include "replies.h"
#include "sdk/host_protocol/capabilities.h"
#include "sdk/host_protocol/launch.h"

namespace keelson::check {
namespace {

using host_protocol::Frame;
using host_protocol::FrameSocket;
using host_protocol::FrameType;
using host_protocol::MethodId;

std::string host_program(const Options& options) {
    if (!options.host_program.empty()) return options.host_program;
    std::error_code error;
    return std::filesystem::read_symlink("/proc/self/exe", error).parent_path() / "keelson-plugin-host";
}

class HostedInstance final : public Transport {
  public:
    HostedInstance(const Options& options, const IsolatedPlugin& plugin) {
        static std::atomic<int> number{0};
        const std::string name = "check." + std::to_string(++number) + ".sock";
        auto listener = need(host_protocol::listen_at(plugin.directory, name));
        board().set_phase("starting keelson-plugin-host");
        process_ = need(host_protocol::spawn_host(command_for(options, plugin), listener.get()));
        socket_ = std::make_unique<FrameSocket>(need(host_protocol::connect_to(plugin.directory, name)));
        // Only the process listens now: when it ends, so does the connection.
        listener.reset();
        board().set_phase("loading the shared object and making an instance of it");
        auto hello = host_protocol::receive_hello(*socket_);
        if (!hello) end_case(hello.error().text);
        if (!hello->failure.empty()) throw std::runtime_error(hello->failure);
        if (const auto methods = host_protocol::MethodSet::decode(hello->methods)) methods_ = *methods;
        reader_ = std::thread([this] { read_frames(); });
    }
    ~HostedInstance() override { end(); }
    HostedInstance(const HostedInstance&) = delete;
    HostedInstance& operator=(const HostedInstance&) = delete;

    Answer start(std::string_view configuration) override {
        return ask("start", host_protocol::kStart, configuration, {});
    }
    Answer stop() override { return ask("stop", host_protocol::kStop, "{}", {}); }
    Answer health(const CallSetup& setup) override {
        return ask("health", host_protocol::kHealth, "{}", setup);
    }
    bool has(const MethodReference& method) override { return methods_.has(id_of(method)); }
    Answer call(const MethodReference& method, std::string_view request, const CallSetup& setup) override {
        return ask(method.name(), id_of(method), request, setup);
    }
    void destroy() override {
        board().set_phase("ending the plugin's process");
        end();
    }

  private:
    template <typename T>
    static T need(host_protocol::Result<T> result) {
        if (!result) throw std::runtime_error(result.error().text);
        return std::move(*result);
    }

    static host_protocol::HostCommand command_for(const Options& options, const IsolatedPlugin& plugin) {
        host_protocol::HostCommand command;
        command.program = host_program(options);
        command.name = "check";
        command.library = std::filesystem::absolute(options.plugin);
        command.id = plugin.id;
        command.version = plugin.version;
        command.state_directory = plugin.state_directory;
        command.node_name = "node";
        command.orphan_grace_seconds = 1;
        command.dies_with_parent = true;
        if (options.manifest) {
            command.concurrent_calls = static_cast<std::uint32_t>(options.manifest->concurrent_calls);
            command.capabilities = options.manifest->privileges;
            command.seccomp = options.manifest->seccomp;
        }
        return command;
    }

    static MethodId id_of(const MethodReference& method) {
        return *host_protocol::find_method(method.capability->id, method.method->name);
    }

    Answer ask(const std::string& name, MethodId method, std::string_view request, const CallSetup& setup) {
        if (setup.sets_phase) {
            std::string phase = "calling " + name;
            if (!setup.label.empty()) phase += " with " + setup.label;
            board().set_phase(phase + ", request " + printable(request));
        }
        const auto begin = std::chrono::steady_clock::now();
        const std::uint64_t id = send(method, request, setup);
        Answer answer = wait_for(id);
        answer.duration =
            std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begin);
        // The host process stops what is thrown, and says so.
        answer.has_thrown =
            answer.status == KEELSON_INTERNAL && string_member(answer, "message") == host_protocol::kThrown;
        if (setup.sets_phase) board().set_phase("waiting after " + name + " had returned");
        return answer;
    }

    std::uint64_t send(MethodId method, std::string_view request, const CallSetup& setup) {
        Frame frame;
        frame.type = FrameType::call;
        frame.id = ++next_id_;
        frame.capability = method.capability;
        frame.method = method.method;
        frame.deadline_us = setup.deadline_us;
        frame.text = setup.traceparent;
        frame.body = request;
        if (auto sent = socket_->write(frame, setup.descriptors); !sent && !is_lost())
            throw std::runtime_error(sent.error().text);
        if (setup.is_cancelled) {
            Frame cancel;
            cancel.type = FrameType::cancel;
            cancel.id = frame.id;
            (void)socket_->write(cancel);
        }
        return frame.id;
    }

    bool is_lost() {
        const std::lock_guard lock(mutex_);
        return is_lost_;
    }

    Answer wait_for(std::uint64_t id) {
        std::unique_lock lock(mutex_);
        arrived_.wait(lock, [&] { return is_lost_ || answers_.contains(id); });
        auto node = answers_.extract(id);
        lock.unlock();
        if (!node) end_case("the connection has ended");
        return std::move(node.mapped());
    }

    void read_frames() {
        while (true) {
            auto frame = socket_->read();
            if (!frame) break;
            if (frame->type == FrameType::log) std::fprintf(stderr, "%s\n", frame->body.c_str());
            if (frame->type != FrameType::reply) continue;
            Answer answer;
            answer.status = frame->code;
            answer.body = std::move(frame->body);
            for (Descriptor& descriptor : frame->descriptors)
                answer.descriptors.push_back(descriptor.release());
            const std::lock_guard lock(mutex_);
            answers_.insert_or_assign(frame->id, std::move(answer));
            arrived_.notify_all();
        }
        const std::lock_guard lock(mutex_);
        is_lost_ = true;
        arrived_.notify_all();
    }

    // From whichever thread: nothing that the case still does would tell more.
    [[noreturn]] void end_case(const std::string& problem) {
        int status = 0;
        const std::string phase = board().phase();
        const bool is_gone = ::waitpid(process_, &status, WNOHANG) == process_ || settle(status);
        const std::string reason =
            is_gone
                ? (WIFSIGNALED(status) ? "crashed with " : "ended the process with ") + describe_end(status)
                : problem;
        board().finish(Outcome::fail, reason + " while " + phase);
        ::_exit(finished_exit_code);
    }
    // The connection ends a moment before the process does.
    bool settle(int& status) const {
        for (int round = 0; round < 200; ++round) {
            if (::waitpid(process_, &status, WNOHANG) == process_) return true;
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
        return false;
    }

    void end() {
        if (std::exchange(has_ended_, true)) return;
        Frame leave;
        leave.type = FrameType::leave;
        (void)socket_->write(leave);
        int status = 0;
        const bool is_gone = settle(status);
        if (!is_gone) {
            ::kill(process_, SIGKILL);
            ::waitpid(process_, &status, 0);
        }
        socket_->shut_down();
        if (reader_.joinable()) reader_.join();
        if (is_gone && !(WIFEXITED(status) && WEXITSTATUS(status) == 0))
            board().set_phase("its process ended with " + describe_end(status));
    }

    pid_t process_ = -1;
    std::unique_ptr<FrameSocket> socket_;
    host_protocol::MethodSet methods_;
    std::atomic<std::uint64_t> next_id_{0};
    bool has_ended_ = false;
    std::mutex mutex_;
    std::condition_variable arrived_;
    std::map<std::uint64_t, Answer> answers_;
    bool is_lost_ = false;
    std::thread reader_;
};

}  // namespace

std::string isolation_problem(const Options& options) {
    const std::string program = host_program(options);
    if (::access(program.c_str(), X_OK) == 0) return {};
    return "--isolated needs keelson-plugin-host, which is not at " + program +
           ": name it with --host; it comes with keelsond";
}

std::unique_ptr<Transport> make_isolated_transport(const Options& options, const IsolatedPlugin& plugin) {
    return std::make_unique<HostedInstance>(options, plugin);
}

}  // namespace keelson::check
