#include "kernel/access/flow_control.h"

#include <algorithm>
#include <functional>
#include <list>
#include <optional>
#include <utility>

namespace keelson::access {
namespace {

using base::Reason;
using base::Status;

// What a request counts before it is known how long it takes: a request that is being served weighs at once.
constexpr double estimated_cost = 0.01;  // seat-seconds

bool holds(const std::vector<std::string>& list, std::string_view value) {
    return std::ranges::any_of(list,
                               [value](const std::string& item) { return item == "*" || item == value; });
}

bool path_matches(const std::vector<std::string>& patterns, std::string_view path) {
    return std::ranges::any_of(patterns, [path](std::string_view pattern) {
        if (pattern == "*") return true;
        if (pattern.ends_with('*')) return path.starts_with(pattern.substr(0, pattern.size() - 1));
        return path == pattern;
    });
}

bool rule_matches(const FlowSchema::Rule& rule, const Attributes& attributes) {
    if (!holds(rule.verbs, attributes.verb)) return false;
    if (!attributes.is_resource_request) return path_matches(rule.paths, attributes.path);
    if (!holds(rule.groups, attributes.group)) return false;
    if (attributes.subresource.empty()) return holds(rule.resources, attributes.resource);
    return holds(rule.resources, attributes.resource + "/" + attributes.subresource);
}

bool schema_matches(const FlowSchema& schema, const Attributes& attributes) {
    const bool subject = holds(schema.users, attributes.user.user) ||
                         std::ranges::any_of(schema.groups, [&](const std::string& group) {
                             return attributes.user.in_group(group);
                         });
    return subject && std::ranges::any_of(schema.rules,
                                          [&](const auto& rule) { return rule_matches(rule, attributes); });
}

Status rejected() {
    Status status(Reason::too_many_requests, "Too many requests, please try again later.");
    status.mutable_details().retry_after_seconds = 1;
    return status;
}

// FNV-1a: the same flow gets the same hand in every run.
std::uint64_t hash(std::string_view text, std::uint64_t seed = 0xcbf29ce484222325ull) {
    for (const char c : text) seed = (seed ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
    return seed;
}

}  // namespace

struct FlowControl::Waiter {
    base::Completion<bool> granted;  // false: waited too long
};

struct FlowControl::Level {
    struct Queue {
        std::list<std::shared_ptr<Waiter>> waiting;  // a list: hundreds of queues are empty
        int executing = 0;
        // Seat-seconds that the flows of this queue have used, on the level's common scale.
        double used = 0;
    };

    PriorityLevel config;
    int seats = 0;
    std::mutex mutex;
    int executing = 0;
    int waiting = 0;
    std::uint64_t dispatched = 0;
    std::uint64_t rejected_count = 0;
    std::vector<Queue> queues;
    // Where the scale stands: an empty queue that fills again starts here, so that idleness earns no credit.
    double used_floor = 0;

    // The queue of the flow's hand with the fewest requests. Dealing follows Kubernetes' shuffle sharding.
    std::size_t choose_queue(std::uint64_t flow) const {
        std::size_t best = 0;
        int best_load = -1;
        std::vector<std::size_t> dealt;
        for (int i = 0; i < config.hand_size; ++i) {
            const std::uint64_t left = queues.size() - dealt.size();
            std::size_t card = flow % left;
            flow /= left;
            for (const std::size_t taken : dealt) card += taken <= card ? 1 : 0;
            dealt.insert(std::ranges::lower_bound(dealt, card), card);
            const int load = static_cast<int>(queues[card].waiting.size()) + queues[card].executing;
            if (best_load < 0 || load < best_load) {
                best = card;
                best_load = load;
            }
        }
        return best;
    }

    void start(Queue& queue) {
        if (queue.executing == 0 && queue.used < used_floor) queue.used = used_floor;
        ++executing;
        ++queue.executing;
        ++dispatched;
        queue.used += estimated_cost;
    }

    // Hands free seats to the waiting queues that have used the least.
    void dispatch(std::vector<std::shared_ptr<Waiter>>& granted) {
        while (executing < seats && waiting > 0) {
            Queue* next = nullptr;
            for (Queue& queue : queues) {
                if (!queue.waiting.empty() && (next == nullptr || queue.used < next->used)) next = &queue;
            }
            used_floor = std::max(used_floor, next->used);
            granted.push_back(std::move(next->waiting.front()));
            next->waiting.pop_front();
            --waiting;
            start(*next);
        }
    }
};

FlowControl::FlowControl(FlowControlOptions options)
    : queue_wait_(options.queue_wait), schemas_(std::move(options.schemas)) {
    int shares = 0;
    for (const PriorityLevel& level : options.levels) shares += level.shares;
    for (PriorityLevel& config : options.levels) {
        auto level = std::make_unique<Level>();
        level->seats = shares == 0 ? 0 : (options.seats * config.shares + shares - 1) / shares;
        level->queues.resize(static_cast<std::size_t>(std::max(1, config.queues)));
        config.hand_size = std::clamp(config.hand_size, 1, std::max(1, config.queues));
        level_of_name_.emplace(config.name, levels_.size());
        level->config = std::move(config);
        levels_.push_back(std::move(level));
    }
    std::ranges::stable_sort(schemas_, {}, &FlowSchema::precedence);
}

FlowControl::~FlowControl() = default;

const FlowSchema& FlowControl::schema_of(const Attributes& attributes) const {
    for (const FlowSchema& schema : schemas_) {
        if (schema_matches(schema, attributes) && level_of_name_.contains(schema.level)) return schema;
    }
    return schemas_.back();
}

Classification FlowControl::classify(const Attributes& attributes) const {
    const FlowSchema& schema = schema_of(attributes);
    const Level& level = *levels_[level_of_name_.at(schema.level)];
    const std::lock_guard lock(uid_mutex_);
    return {.schema_uid = schema.uid,
            .level_uid = level.config.uid,
            .schema = schema.name,
            .level = schema.level};
}

base::Task<base::Result<Seat>> FlowControl::enter(const Attributes& attributes,
                                                  Classification* classification) {
    const FlowSchema& schema = schema_of(attributes);
    const std::size_t level_index = level_of_name_.at(schema.level);
    Level& level = *levels_[level_index];
    if (classification != nullptr) {
        const std::lock_guard lock(uid_mutex_);
        *classification = {.schema_uid = schema.uid,
                           .level_uid = level.config.uid,
                           .schema = schema.name,
                           .level = schema.level};
    }
    Seat seat;
    if (level.config.exempt) {
        const std::lock_guard lock(level.mutex);
        ++level.dispatched;
        co_return seat;
    }
    const std::string_view flow = schema.flow_by == FlowBy::user             ? attributes.user.user
                                  : schema.flow_by == FlowBy::namespace_name ? attributes.namespace_name
                                                                             : std::string_view{};
    base::Executor& executor = co_await base::current_executor();
    seat.level_ = level_index;
    std::shared_ptr<Waiter> waiter;
    {
        const std::lock_guard lock(level.mutex);
        if (level.config.queues == 0) {
            if (level.executing >= level.seats) {
                ++level.rejected_count;
                co_return rejected();
            }
            level.start(level.queues[0]);
        } else {
            seat.queue_ = level.choose_queue(hash(flow, hash(schema.name)));
            Level::Queue& queue = level.queues[seat.queue_];
            if (level.executing < level.seats && level.waiting == 0) {
                level.start(queue);
            } else if (static_cast<int>(queue.waiting.size()) >= level.config.queue_length) {
                ++level.rejected_count;
                co_return rejected();
            } else {
                if (queue.waiting.empty() && queue.executing == 0)
                    queue.used = std::max(queue.used, level.used_floor);
                waiter = std::make_shared<Waiter>();
                queue.waiting.push_back(waiter);
                ++level.waiting;
            }
        }
    }
    if (waiter) {
        const auto timer = executor.post_after(queue_wait_, [this, level_index, queue = seat.queue_, waiter] {
            time_out(level_index, queue, waiter);
        });
        const bool granted = co_await waiter->granted;
        timer->cancel();
        if (!granted) co_return rejected();
    }
    seat.control_ = this;
    seat.clock_ = &executor.clock();
    seat.since_ = executor.clock().now();
    co_return seat;
}

void FlowControl::time_out(std::size_t level_index, std::size_t queue_index,
                           const std::shared_ptr<Waiter>& waiter) {
    Level& level = *levels_[level_index];
    {
        const std::lock_guard lock(level.mutex);
        auto& waiting = level.queues[queue_index].waiting;
        const auto found = std::ranges::find(waiting, waiter);
        if (found == waiting.end()) return;
        waiting.erase(found);
        --level.waiting;
        ++level.rejected_count;
    }
    waiter->granted.complete(false);
}

void FlowControl::leave(std::size_t level_index, std::size_t queue_index, base::Duration held) {
    Level& level = *levels_[level_index];
    std::vector<std::shared_ptr<Waiter>> granted;
    {
        const std::lock_guard lock(level.mutex);
        const double spent = std::chrono::duration<double>(held).count();
        Level::Queue& queue = level.queues[queue_index];
        queue.used += spent - estimated_cost;
        --queue.executing;
        --level.executing;
        level.dispatch(granted);
    }
    for (const auto& waiter : granted) waiter->granted.complete(true);
}

void FlowControl::set_schema_uid(std::string_view schema, std::string uid) {
    const std::lock_guard lock(uid_mutex_);
    for (FlowSchema& entry : schemas_) {
        if (entry.name == schema) entry.uid = uid;
    }
}

void FlowControl::set_level_uid(std::string_view level, std::string uid) {
    const std::lock_guard lock(uid_mutex_);
    if (const auto found = level_of_name_.find(level); found != level_of_name_.end())
        levels_[found->second]->config.uid = std::move(uid);
}

std::vector<LevelStatistics> FlowControl::statistics() const {
    std::vector<LevelStatistics> result;
    for (const auto& level : levels_) {
        const std::lock_guard lock(level->mutex);
        result.push_back({.level = level->config.name,
                          .seats = level->seats,
                          .executing = level->executing,
                          .waiting = level->waiting,
                          .dispatched = level->dispatched,
                          .rejected = level->rejected_count});
    }
    return result;
}

Seat::Seat(Seat&& other) noexcept
    : control_(std::exchange(other.control_, nullptr)),
      level_(other.level_),
      queue_(other.queue_),
      clock_(other.clock_),
      since_(other.since_) {}

Seat& Seat::operator=(Seat&& other) noexcept {
    if (this != &other) {
        release();
        control_ = std::exchange(other.control_, nullptr);
        level_ = other.level_;
        queue_ = other.queue_;
        clock_ = other.clock_;
        since_ = other.since_;
    }
    return *this;
}

void Seat::release() {
    if (FlowControl* control = std::exchange(control_, nullptr))
        control->leave(level_, queue_, clock_->now() - since_);
}

}  // namespace keelson::access
