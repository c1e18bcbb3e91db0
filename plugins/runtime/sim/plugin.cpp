// The simulated runtime: the machine behind a lock, with the host's clock, logs and streams around it.
//
// In virtual time nothing runs between calls: each call first lets happen what is due, and asks the kernel to
// look again at the pods of which something has changed by itself. info and list_containers say in
// nextChangeMonotonicMicroseconds when it is worth to look again. In real time (timer: true) one thread does.
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>

#include "attachments.h"
#include "config.h"
#include "handover.h"
#include "images.h"
#include "keelson/runtime.hpp"
#include "log_file.h"
#include "machine.h"

namespace {

namespace images = keelson::images;
namespace runtime = keelson::runtime;
using keelson::Call;
using keelson::Code;
using keelson::Descriptors;
using keelson::Error;
using keelson::Json;

#define KEELSON_SIM_VERSION "0.1.0"

constexpr std::int64_t second_us = 1'000'000;
// How often a call that waits looks whether it is still wanted.
constexpr auto look_interval = std::chrono::milliseconds(20);
constexpr std::int64_t longest_sleep_us = second_us;

class Simulation : public keelson::RuntimePlugin, public keelson::ImagesPlugin {
  public:
    Simulation(keelson::Host host, const Json& config)
        : host_(host),
          config_(read_config(config)),
          chance_(config_.seed),
          machine_(config_.behaviour(), chance_, config_.jitter_ms * 1000, config_.logs,
                   [this](Containers::const_iterator container, bool by_itself) {
                       note_change(container->first, container->second, by_itself);
                   }),
          images_(config_.image_bytes) {
        if (config_.timer) timer_ = std::thread([this] { keep_time(); });
    }
    ~Simulation() {
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            is_ending_ = true;
        }
        planned_.notify_all();
        if (timer_.joinable()) timer_.join();
    }

    // --- sandboxes ---

    Json info(const runtime::InfoRequest& /*request*/) {
        const Visit visit(*this);
        Json answer = runtime::Info{"keelson-sim", KEELSON_SIM_VERSION, {"sim"}};
        add_next_change(answer);
        return answer;
    }

    void run_sandbox(const runtime::RunSandbox& request, const Call& call) {
        if (request.sandbox_id.empty()) throw Error(Code::invalid, "sandboxId is empty", "sandboxId");
        begin_call("run_sandbox", request.sandbox_id, call);
        const Visit visit(*this);
        machine_.run_sandbox(request, visit.now);
        if (request.namespaces.network != "host") pass_network_namespace(call);
    }

    void stop_sandbox(const runtime::StopSandbox& request) {
        const Visit visit(*this);
        machine_.stop_sandbox(request.sandbox_id, visit.now);
    }

    void remove_sandbox(const runtime::RemoveSandbox& request) {
        const Visit visit(*this);
        machine_.remove_sandbox(request.sandbox_id, visit.now);
    }

    runtime::SandboxList list_sandboxes(const runtime::ListSandboxes& /*request*/) {
        const Visit visit(*this);
        runtime::SandboxList list;
        for (const auto& [id, sandbox] : machine_.sandboxes())
            list.sandboxes.push_back({id, sandbox.pod, sandbox.is_stopped ? "stopped" : "ready",
                                      time_text(sandbox.created.unix_us)});
        return list;
    }

    void port_forward(const runtime::PortForward& request, const Call& call) {
        const Visit visit(*this);
        const Sandbox& sandbox = machine_.sandbox(request.sandbox_id);
        if (sandbox.is_stopped) throw Error(Code::conflict, "the sandbox was stopped", "sandboxId");
        const std::string greeting = sandbox.pod.name + ":" + std::to_string(request.port) + "\n";
        call.pass_descriptor(finished_stream(greeting).get());
    }

    // --- containers ---

    void create_container(const runtime::CreateContainer& request, const Call& call) {
        if (request.container_id.empty()) throw Error(Code::invalid, "containerId is empty", "containerId");
        begin_call("create_container", request.container_id, call);
        const Visit visit(*this);
        machine_.create_container(request, visit.now);
    }

    void start_container(const runtime::StartContainer& request, const Call& call) {
        begin_call("start_container", request.container_id, call);
        const Visit visit(*this);
        machine_.start_container(request.container_id, visit.now);
    }

    void stop_container(const runtime::StopContainer& request, const Call& call) {
        if (request.grace_seconds < 0) throw Error(Code::invalid, "graceSeconds is below 0", "graceSeconds");
        {
            const Visit visit(*this);
            const std::int64_t grace_us = request.grace_seconds * second_us;
            if (machine_.stop_container(request.container_id, grace_us, visit.now)) return;
        }
        if (!config_.timer)
            throw Error(Code::unavailable, "the container is still ending; in virtual time no call can wait");
        std::unique_lock<std::mutex> lock(mutex_);
        while (is_running(request.container_id)) {
            call.check(host_.monotonic());
            ended_.wait_for(lock, look_interval);
        }
    }

    void remove_container(const runtime::RemoveContainer& request) {
        const Visit visit(*this);
        machine_.remove_container(request.container_id, visit.now);
    }

    Json list_containers(const runtime::ListContainers& request) {
        const Visit visit(*this);
        runtime::ContainerList list;
        machine_.for_each_container(request.sandbox_id, [&](Containers::const_iterator container) {
            list.containers.push_back(describe(container->first, container->second));
        });
        Json answer = list;
        add_next_change(answer);
        return answer;
    }

    void update_resources(const runtime::UpdateResources& request) {
        const Visit visit(*this);
        (void)machine_.container(request.container_id);
    }

    runtime::Executing exec(const runtime::Exec& request, const Call& call) {
        const Visit visit(*this);
        const Container& container = running(request.container_id);
        std::string said;
        for (const std::string& word : request.command) said += (said.empty() ? "" : " ") + word;
        said += request.tty ? "\r\n" : "\n";
        if (request.standard_input) call.pass_descriptor(void_input().get());
        if (request.standard_output) call.pass_descriptor(finished_stream(said).get());
        if (request.standard_error) call.pass_descriptor(finished_stream("").get());
        call.pass_descriptor(finished_stream(exit_document(container.behaviour->exec_exit_code)).get());
        return {request.container_id + "-" + std::to_string(++executions_)};
    }

    void attach(const runtime::Attach& request, const Call& call) {
        const Visit visit(*this);
        (void)running(request.container_id);
        Stream output = make_stream();
        if (request.standard_input) call.pass_descriptor(void_input().get());
        if (request.standard_output) call.pass_descriptor(output.theirs.get());
        if (request.standard_error) call.pass_descriptor(finished_stream("").get());
        call.pass_descriptor(attachments_.add(request.container_id, std::move(output.ours)).get());
    }

    void resize(const runtime::Resize& request) {
        const Visit visit(*this);
        (void)machine_.container(request.container_id);
    }

    void reopen_log(const runtime::ReopenLog& request) {
        const Visit visit(*this);
        const Container& container = machine_.container(request.container_id);
        if (!container.log_path.empty()) write_log(container, visit.now.unix_us, "");
    }

    runtime::Stats stats(const runtime::StatsRequest& request) {
        const Visit visit(*this);
        runtime::Stats stats;
        machine_.for_each_container(request.sandbox_id, [&](Containers::const_iterator found) {
            const Container& container = found->second;
            if (container.phase != Phase::running) return;
            const std::int64_t ran_us = visit.now.monotonic_us - container.started.monotonic_us;
            // Thousandths of a processor for microseconds are nanoseconds of it.
            const std::int64_t cpu_ns = ran_us * container.behaviour->cpu_millis;
            const std::int64_t memory = container.behaviour->memory_bytes;
            stats.containers.push_back({found->first, cpu_ns, memory, memory, std::nullopt});
        });
        return stats;
    }

    // --- images ---

    images::Pulled pull(const images::Pull& request, const Call& call) {
        begin_call("pull", request.image, call);
        const Visit visit(*this);
        return {images_.pull(request.image)};
    }

    images::Listed list(const images::List& /*request*/) {
        const Visit visit(*this);
        return images_.list();
    }

    void remove(const images::Remove& request) {
        const Visit visit(*this);
        images_.remove(request.image_id);
    }

    images::Usage usage(const images::UsageRequest& /*request*/) {
        const Visit visit(*this);
        return images_.usage(host_.state_directory());
    }

    images::Inspected inspect(const images::Inspect& request) {
        const Visit visit(*this);
        return {images_.inspect(request.image)};
    }

    // --- handover: streams of attached clients end with the old instance, all else goes on ---

    void quiesce() { set_parked(true); }
    void resume() { set_parked(false); }

    Json give(Descriptors& descriptors) {
        const std::lock_guard<std::mutex> lock(mutex_);
        descriptors.push_back(write_state(machine_, images_));
        return {{"version", 1}};
    }

    void adopt(const Json& state, Descriptors descriptors) {
        const bool is_known = state.is_object() && state.value("version", Json()) == 1;
        if (!is_known || descriptors.size() != 1)
            throw Error(Code::invalid, "the state is not one that this plugin understands", "state");
        const std::lock_guard<std::mutex> lock(mutex_);
        try {
            read_state(descriptors.front().get(), machine_, images_);
        } catch (const Json::exception& error) {
            throw Error(Code::invalid, std::string("the state cannot be read: ") + error.what(), "state");
        }
        planned_.notify_all();
    }

  private:
    // The lock for one call. First everything happens that is due; at the end, without the lock, the kernel
    // is told.
    class Visit {
      public:
        explicit Visit(Simulation& simulation)
            : simulation_(simulation), lock_(simulation.mutex_), now(simulation.moment()) {
            if (!simulation.is_parked_) simulation.machine_.settle(now);
        }
        Visit(const Visit&) = delete;
        Visit& operator=(const Visit&) = delete;
        ~Visit() {
            const std::set<std::string> changed = std::move(simulation_.changed_pods_);
            simulation_.changed_pods_.clear();
            lock_.unlock();
            simulation_.planned_.notify_all();
            for (const std::string& uid : changed) simulation_.host_.request_reconcile("pod/" + uid);
        }

      private:
        Simulation& simulation_;
        std::unique_lock<std::mutex> lock_;

      public:
        const Moment now;
    };

    [[nodiscard]] Moment moment() const { return {host_.monotonic().count(), host_.unix_time().count()}; }

    void note_change(const std::string& id, const Container& container, bool by_itself) {
        if (by_itself) changed_pods_.insert(container.sandbox->second.pod.uid);
        const bool has_ended = container.phase == Phase::exited;
        if (has_ended) {
            attachments_.end(id, container.exit_code());
            ended_.notify_all();
        }
        if (container.log_path.empty() || container.ending == Ending::not_started) return;
        if (has_ended) {
            write_log(container, container.finished.unix_us,
                      "exited with code " + std::to_string(container.exit_code()));
        } else {
            const std::string& text = container.behaviour->log;
            write_log(container, container.started.unix_us, text.empty() ? "started" : text);
        }
    }

    void write_log(const Container& container, std::int64_t unix_us, std::string_view text) {
        if (append_log(container.log_path, unix_us, text)) return;
        host_.warn("cannot write " + container.log_path + ": " + std::strerror(errno));
    }

    void add_next_change(Json& answer) const {
        const std::int64_t next_us = machine_.next_change_us();
        if (next_us != never_us) answer["nextChangeMonotonicMicroseconds"] = next_us;
    }

    static runtime::Container describe(const std::string& id, const Container& container) {
        runtime::Container shown;
        shown.container_id = id;
        shown.sandbox_id = container.sandbox->first;
        shown.name = container.name;
        shown.attempt = container.attempt;
        shown.image_id = container.image_id;
        shown.created_at = time_text(container.created.unix_us);
        if (container.started.is_set()) shown.started_at = time_text(container.started.unix_us);
        shown.state = container.phase == Phase::running ? "running" : "created";
        if (container.phase != Phase::exited) return shown;
        shown.state = "exited";
        shown.finished_at = time_text(container.finished.unix_us);
        shown.exit_code = container.exit_code();
        shown.reason = container.reason();
        shown.message = container.message();
        return shown;
    }

    const Container& running(const std::string& id) const {
        const Container& container = machine_.container(id);
        if (container.phase != Phase::running)
            throw Error(Code::conflict, "container " + id + " is not running", "containerId");
        return container;
    }
    bool is_running(const std::string& id) const {
        const auto found = machine_.containers().find(id);
        return found != machine_.containers().end() && found->second.phase == Phase::running;
    }

    // What an operator has asked for: that the call fails, or takes its time.
    void begin_call(const char* method, const std::string& subject, const Call& call) {
        const std::int64_t now_us = host_.monotonic().count();
        if (config_.call_ms > 0) wait_until(now_us + config_.call_ms * 1000, call);
        if (chance_.happens(config_.failure_probability, method, subject, now_us))
            throw Error(Code::unavailable, std::string(method) + " fails by chance; try again");
    }
    void wait_until(std::int64_t monotonic_us, const Call& call) {
        std::unique_lock<std::mutex> lock(mutex_);
        for (std::int64_t now_us; (now_us = host_.monotonic().count()) < monotonic_us;) {
            call.check(std::chrono::microseconds(now_us));
            const auto rest = std::chrono::microseconds(monotonic_us - now_us);
            ended_.wait_for(lock, std::min<std::chrono::microseconds>(rest, look_interval));
        }
    }

    // Nothing that a network plugin could enter or change by mistake.
    static void pass_network_namespace(const Call& call) {
        try {
            call.pass_descriptor(void_input().get());
        } catch (const Error& error) {
            if (error.code() != Code::unsupported) throw;  // a host without descriptors
        }
    }

    void set_parked(bool parked) {
        const std::lock_guard<std::mutex> lock(mutex_);
        is_parked_ = parked;
        planned_.notify_all();
    }

    // --- the thread ---

    void keep_time() {
        std::unique_lock<std::mutex> lock(mutex_);
        while (!is_ending_) {
            const std::int64_t wait_us = is_parked_ ? longest_sleep_us : until_next_change_us();
            if (wait_us > 0) {
                planned_.wait_for(lock, std::chrono::microseconds(wait_us));
            } else {
                lock.unlock();
                { const Visit visit(*this); }
                lock.lock();
            }
        }
    }
    [[nodiscard]] std::int64_t until_next_change_us() const {
        const std::int64_t next_us = machine_.next_change_us();
        if (next_us == never_us) return longest_sleep_us;
        return std::min(next_us - host_.monotonic().count(), longest_sleep_us);
    }

    const keelson::Host host_;
    const Config config_;
    const Chance chance_;

    std::mutex mutex_;
    std::condition_variable planned_;  // for the timer: something is to come, or is no more
    std::condition_variable ended_;    // for calls that wait: a container has exited
    Machine machine_;
    Images images_;
    Attachments attachments_;
    std::set<std::string> changed_pods_;  // uids
    std::uint64_t executions_ = 0;
    bool is_parked_ = false;
    bool is_ending_ = false;
    std::thread timer_;
};

}  // namespace

KEELSON_PLUGIN(Simulation, "dev.keelson.sim", KEELSON_SIM_VERSION)
