// Keeps what one plugin holds in step with a table of the kernel's: tells it the difference when the table
// changes, the whole table when the plugin is new, has forgotten, or has failed. On one executor.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "kernel/base/executor.h"
#include "kernel/base/metrics.h"
#include "kernel/base/task.h"
#include "kernel/network/sinks.h"

namespace keelson::network {

class Follower {
  public:
    struct Parts {
        std::string what;  // for people: "the proxy iptables"
        base::Executor& executor;
        base::Metrics& metrics;
        std::string metric;  // "service_proxy": of the names of metrics
        std::function<Answer<void>()> configure;
        // Tells the difference since the last time, or everything. False: there was nothing to be told.
        std::function<Answer<bool>(std::int64_t generation, bool full)> apply;
        std::function<Answer<PluginState>()> state;
    };

    explicit Follower(Parts parts);

    // Until stop(); it outlives the task.
    base::Task<void> run();
    // All on the executor.
    void stop();
    void table_changed();
    void settings_changed();  // the plugin is configured anew, and told everything
    // Whether the plugin holds the settings, and the table as it was at some time since settings_changed().
    [[nodiscard]] bool is_in_step() const { return !needs_everything_; }
    // Calls once when it is in step, at once when it is already.
    void when_in_step(base::Callback callback);

  private:
    base::Task<bool> wait(base::Duration longest);
    base::Task<base::Result<void>> follow();
    base::Task<base::Result<void>> begin();
    base::Task<void> look();
    void settled(const base::Result<void>& outcome);

    Parts parts_;
    base::Histogram& duration_;
    base::Counter& failures_;
    std::optional<base::Completion<bool>> waiting_;
    bool is_stopped_ = false;
    bool is_resting_ = false;
    bool has_changed_ = true;
    bool needs_everything_ = true;
    std::uint64_t settings_ = 0;  // how often they have changed
    bool has_failed_ = false;
    std::int64_t generation_ = 0;
    base::Duration pause_{};  // before the next try
    base::MonotonicTime look_at_{};
    std::vector<base::Callback> when_in_step_;
};

}  // namespace keelson::network
