// One plugin of the host: its present generation, the calls to it, its health, and how it changes.
//
// Calls take a place in the present generation. A swap closes the gate, waits until the calls under way have
// ended, puts another generation in place and opens the gate: no call fails because of it.
#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "kernel/base/executor.h"
#include "kernel/base/metrics.h"
#include "kernel/plugin/async_lock.h"
#include "kernel/plugin/generation.h"
#include "kernel/plugin/plugin.h"
#include "kernel/plugin/plugin_host.h"

namespace keelson::plugin {

// What a slot needs of the host around it. Outlives the slot's tasks.
struct SlotEnvironment {
    const HostSettings& settings;
    base::Executor& executor;
    base::Metrics& metrics;
    const Listener& listener;
};

class Slot final : public Plugin, public std::enable_shared_from_this<Slot> {
  public:
    Slot(std::string name, const SlotEnvironment& environment);
    ~Slot() override;

    // --- as a Plugin ---
    [[nodiscard]] const std::string& name() const override { return name_; }
    [[nodiscard]] Info info() const override;
    [[nodiscard]] bool has(std::string_view capability, std::string_view method) const override;
    [[nodiscard]] base::Task<base::Result<Reply>> call(std::string_view capability, std::string_view method,
                                                       std::string request, CallOptions options) override;

    // --- for the host; one after another ---

    // Replaces what runs, if anything, by what the settings and the manifest say now. When that fails, what
    // ran before runs on, with its own settings; with nothing before it, the slot has failed and tries again
    // by itself. `may_adopt`: at the start of a kernel.
    base::Task<base::Result<void>> load(PluginSettings settings, std::string manifest_path, bool may_adopt);
    // Ends what runs. `keep_process`: an isolated one stays for the next kernel.
    base::Task<void> unload(State state, std::string reason, bool keep_process);
    void set_state(State state, const std::string& reason);
    [[nodiscard]] PluginSettings settings() const;
    [[nodiscard]] std::string manifest_path() const;
    [[nodiscard]] std::string id() const;                     // of the manifest; empty before the first load
    [[nodiscard]] std::vector<std::string> required() const;  // ids of plugins
    // For the next load.
    void keep_settings(PluginSettings settings, std::string manifest_path);
    // What the operator lets it read of the API, from now on.
    void accept(std::vector<ObjectAccess> objects);
    // Restarts and health checks end; tasks of them that still sleep do nothing any more.
    void close();

    std::shared_ptr<void> trace(std::function<void(const std::string&)> sink);

  private:
    struct MethodCounters;
    class Place;

    // --- calls ---
    base::Result<std::shared_ptr<Generation>> try_enter(const base::Completion<bool>& turn,
                                                        bool& has_to_wait);
    base::Task<base::Result<std::shared_ptr<Generation>>> enter();
    void leave_place();
    MethodCounters& counters(MethodId id);
    void note_call(MethodId id, const std::string& request, const base::Result<Outcome>& outcome,
                   base::Duration took);
    // The call with both documents against their schemas, where the settings say so.
    base::Task<base::Result<Outcome>> perform(Instance& instance, InstanceCall call);
    base::Task<base::Result<Outcome>> perform_checked(Instance& instance, InstanceCall call);
    [[nodiscard]] base::Result<Reply> answer(MethodId id, base::Result<Outcome> outcome) const;

    // --- life ---
    base::Task<base::Result<void>> put_in_place(std::shared_ptr<Generation> fresh);
    base::Task<base::Result<void>> replace_running(std::shared_ptr<Generation> old,
                                                   std::shared_ptr<Generation> fresh);
    base::Task<base::Result<void>> hand_over(Generation& old, Generation& fresh);
    base::Task<base::Result<void>> stop_and_start(std::shared_ptr<Generation>& old, Generation& fresh);
    // One call outside of the counted ones; ask() makes a failure of what the plugin refuses.
    base::Task<base::Result<Outcome>> put(Generation& generation, MethodId method, std::string request,
                                          std::chrono::milliseconds timeout, std::vector<int> descriptors);
    base::Task<base::Result<Outcome>> ask(Generation& generation, MethodId method, std::string request,
                                          std::vector<int> descriptors = {});
    base::Task<base::Result<void>> start_instance(Generation& generation);
    base::Task<base::Result<void>> check_health(Generation& generation);
    base::Task<void> end_instance(std::shared_ptr<Generation> generation, bool was_started,
                                  bool keep_process);
    base::Task<bool> close_gate(std::chrono::milliseconds patience);
    [[nodiscard]] bool is_current(const Generation& generation) const;
    void open_gate(std::shared_ptr<Generation> generation, State state, const std::string& reason);
    void begin_watching(const std::shared_ptr<Generation>& generation);
    void lost(std::uint64_t generation, std::string why);
    void schedule_restart(std::string why);
    base::Task<void> restart(std::uint64_t epoch);
    base::Task<void> watch_health(std::uint64_t generation, std::shared_ptr<base::Pause> pause);
    [[nodiscard]] HostServices services(std::shared_ptr<ObjectsBroker> objects);
    base::Task<base::Result<std::shared_ptr<Generation>>> load_files(PluginSettings settings,
                                                                     std::string manifest_path,
                                                                     bool may_adopt);
    // What set_state() does: the first under the lock, with whatever else has to be seen together with the
    // state, then the second without it when the first says that it is news.
    [[nodiscard]] bool note_state(State state, const std::string& reason);
    void announce_state(State state, const std::string& reason);
    void changed();

    const std::string name_;
    const SlotEnvironment environment_;
    AsyncLock life_;  // load and unload

    mutable std::mutex mutex_;
    PluginSettings settings_;
    std::string manifest_path_;
    State state_ = State::starting;
    std::string reason_;
    base::WallTime since_{};
    std::shared_ptr<Generation> current_;
    Manifest manifest_;  // of the last plan; what is listed when nothing runs
    std::string sha256_;
    Isolation isolation_ = Isolation::process;
    std::uint32_t call_limit_ = 16;
    bool gate_closed_ = false;
    std::uint32_t in_flight_ = 0;
    std::deque<base::Completion<bool>> waiting_;
    std::optional<base::Completion<bool>> drained_;
    std::uint64_t generations_ = 0;
    std::uint64_t restarts_ = 0;
    std::uint64_t failures_in_a_row_ = 0;
    std::uint64_t epoch_ = 0;  // a restart that was planned before a change does nothing
    base::MonotonicTime started_at_{};
    bool closed_ = false;
    std::vector<RetiredGeneration> retired_;

    using CounterRow = std::array<std::atomic<MethodCounters*>, kMostMethods>;
    std::array<CounterRow, kMostCapabilities> counters_{};
    mutable std::mutex counters_mutex_;
    std::vector<std::unique_ptr<MethodCounters>> all_counters_;

    using Sink = std::function<void(const std::string&)>;
    std::atomic<int> traced_{0};
    std::mutex trace_mutex_;
    std::vector<std::shared_ptr<Sink>> sinks_;
};

}  // namespace keelson::plugin
