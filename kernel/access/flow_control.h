// Fair shares of the server: Kubernetes' API priority and fairness. A request is classified by the flow
// schemas; its priority level has seats (requests served at once) and, when they are taken, queues. The flows
// of a level (users or namespaces) are spread over its queues by shuffle sharding, and the queues take turns
// by what they have used, so that one busy user never starves the others. A full queue, or a wait too long,
// is 429 with Retry-After.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/access/identity.h"
#include "kernel/base/ids.h"
#include "kernel/base/result.h"
#include "kernel/base/task.h"

namespace keelson::access {

// A PriorityLevelConfiguration.
struct PriorityLevel {
    std::string name;
    std::string uid;
    bool exempt = false;
    int shares = 0;        // of the server's seats
    int queues = 0;        // 0: requests without a seat are rejected at once
    int hand_size = 0;     // queues that one flow may use
    int queue_length = 0;  // requests waiting in one queue
};

enum class FlowBy : std::uint8_t { none, user, namespace_name };

// A FlowSchema. A request matches when one subject and one rule match.
struct FlowSchema {
    struct Rule {
        std::vector<std::string> verbs;      // "*" is any, here and below
        std::vector<std::string> groups;     // for resource requests
        std::vector<std::string> resources;  // "nodes", "nodes/status"; empty: no resource requests
        std::vector<std::string> paths;      // for non-resource requests, "/healthz", "/apis/*"; empty: none
    };
    std::string name;
    std::string uid;
    std::string level;
    int precedence = 0;  // the lowest that matches decides
    FlowBy flow_by = FlowBy::none;
    std::vector<std::string> users;
    std::vector<std::string> groups;
    std::vector<Rule> rules;
};

struct FlowControlOptions {
    int seats = 600;  // max-requests-inflight + max-mutating-requests-inflight
    base::Duration queue_wait = std::chrono::seconds(15);
    std::vector<PriorityLevel> levels;
    std::vector<FlowSchema> schemas;
};

// The mandatory and suggested configuration of Kubernetes 1.36, with fresh uids.
[[nodiscard]] FlowControlOptions default_flow_control(base::RandomSource& random = base::system_random());

class FlowControl;

// The right to be served. Gives its place back when released or destroyed. Move-only; any thread.
class Seat {
  public:
    Seat() = default;
    Seat(Seat&& other) noexcept;
    Seat& operator=(Seat&& other) noexcept;
    ~Seat() { release(); }
    void release();
    [[nodiscard]] bool holds() const { return control_ != nullptr; }

  private:
    friend class FlowControl;
    FlowControl* control_ = nullptr;
    std::size_t level_ = 0;
    std::size_t queue_ = 0;
    base::Clock* clock_ = nullptr;
    base::MonotonicTime since_{};
};

struct Classification {
    std::string schema_uid;
    std::string level_uid;
    std::string schema;
    std::string level;
};

struct LevelStatistics {
    std::string level;
    int seats = 0;
    int executing = 0;
    int waiting = 0;
    std::uint64_t dispatched = 0;
    std::uint64_t rejected = 0;
};

// Thread-safe. Outlives every seat and every waiting request.
class FlowControl {
  public:
    explicit FlowControl(FlowControlOptions options);
    ~FlowControl();

    // The first schema by precedence that matches; never fails: catch-all matches everybody.
    [[nodiscard]] Classification classify(const Attributes& attributes) const;
    // Waits for a seat. Fails with too_many_requests. `classification`, when given, is filled first.
    base::Task<base::Result<Seat>> enter(const Attributes& attributes,
                                         Classification* classification = nullptr);
    // The uid under which a schema or level is known in the API.
    void set_schema_uid(std::string_view schema, std::string uid);
    void set_level_uid(std::string_view level, std::string uid);
    [[nodiscard]] std::vector<LevelStatistics> statistics() const;

  private:
    friend class Seat;
    struct Level;
    struct Waiter;

    const FlowSchema& schema_of(const Attributes& attributes) const;
    void leave(std::size_t level, std::size_t queue, base::Duration held);
    void time_out(std::size_t level, std::size_t queue, const std::shared_ptr<Waiter>& waiter);

    mutable std::mutex uid_mutex_;
    base::Duration queue_wait_;
    std::vector<FlowSchema> schemas_;  // by precedence
    std::map<std::string, std::size_t, std::less<>> level_of_name_;
    std::vector<std::unique_ptr<Level>> levels_;
};

}  // namespace keelson::access
