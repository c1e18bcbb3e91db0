// Sandboxes and containers, and what becomes of them as time passes. Time is what the caller says; nothing
// happens in between. Not thread-safe.
#ifndef KEELSON_SIM_MACHINE_H
#define KEELSON_SIM_MACHINE_H

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "behaviour.h"
#include "chance.h"
#include "keelson/runtime.hpp"

// The same instant on both clocks of the host.
struct Moment {
    std::int64_t monotonic_us = 0;
    std::int64_t unix_us = 0;

    [[nodiscard]] Moment after_us(std::int64_t us) const { return {monotonic_us + us, unix_us + us}; }
    [[nodiscard]] bool is_set() const { return unix_us != 0; }
};

constexpr std::int64_t never_us = std::numeric_limits<std::int64_t>::max();

struct Container;
using Containers = std::map<std::string, Container>;

struct Sandbox {
    keelson::runtime::Pod pod;
    std::string log_directory;
    Moment created;
    bool is_stopped = false;
    std::vector<Containers::iterator> containers;
};
using Sandboxes = std::map<std::string, Sandbox>;

// starting: start was called, but it takes its time; shown as created.
enum class Phase : std::uint8_t { created, starting, running, exited };
enum class Ending : std::uint8_t { none, finished, failed, stopped, killed, not_started };

struct Container {
    Sandboxes::iterator sandbox;
    std::shared_ptr<const Behaviour> behaviour;
    std::string name;
    std::string image_id;
    std::string log_path;  // empty: no log
    std::int32_t attempt = 0;
    Phase phase = Phase::created;
    Ending ending = Ending::none;  // how it has ended or, with `next` set, how it will
    Moment created;
    Moment started;
    Moment finished;
    Moment next;  // when starting or running ends by itself

    [[nodiscard]] int exit_code() const;
    [[nodiscard]] std::string reason() const;
    [[nodiscard]] std::string message() const;
};

class Machine {
  public:
    // A container has begun to run or has exited. `by_itself`: no call has asked for it.
    using Observer = std::function<void(Containers::const_iterator container, bool by_itself)>;

    Machine(Behaviour defaults, Chance chance, std::int64_t jitter_us, bool has_logs, Observer observer);

    // Everything up to now that is due. To be called before anything else.
    void settle(Moment now);
    // On the monotonic clock; never_us when nothing is to come.
    [[nodiscard]] std::int64_t next_change_us() const;

    void run_sandbox(const keelson::runtime::RunSandbox& request, Moment now);
    void stop_sandbox(const std::string& id, Moment now);
    void remove_sandbox(const std::string& id, Moment now);
    void create_container(const keelson::runtime::CreateContainer& request, Moment now);
    void start_container(const std::string& id, Moment now);
    // Whether it has ended now; otherwise it ends at next_change_us() or later.
    bool stop_container(const std::string& id, std::int64_t grace_us, Moment now);
    void remove_container(const std::string& id, Moment now);

    // Throw Code::not_found.
    [[nodiscard]] const Container& container(const std::string& id) const;
    [[nodiscard]] const Sandbox& sandbox(const std::string& id) const;
    // Of one sandbox, or with an empty id all. None for a sandbox that is not there.
    void for_each_container(const std::string& sandbox_id,
                            const std::function<void(Containers::const_iterator)>& visit) const;
    [[nodiscard]] const Sandboxes& sandboxes() const { return sandboxes_; }
    [[nodiscard]] const Containers& containers() const { return containers_; }

    // What another machine had. The container's behaviour is found again.
    void restore_sandbox(const std::string& id, Sandbox sandbox);
    void restore_container(const std::string& id, const std::string& sandbox_id, Container container);

  private:
    struct Due {
        std::int64_t us;
        Containers::iterator container;
        bool operator<(const Due& other) const {
            return us != other.us ? us < other.us : container->first < other.container->first;
        }
    };

    [[nodiscard]] std::shared_ptr<const Behaviour> behaviour_for(const Sandbox& sandbox,
                                                                 const std::string& container) const;
    [[nodiscard]] std::int64_t jitter_us(const char* purpose, const std::string& id) const;
    Containers::iterator find_container(const std::string& id);
    void plan(Containers::iterator container, Moment next, Ending ending);
    void forget_plan(Containers::iterator container);
    void begin_running(Containers::iterator container, Moment now, bool by_itself);
    void exit(Containers::iterator container, Moment now, bool by_itself);
    void kill(Containers::iterator container, Moment now);
    void stop(Sandboxes::iterator sandbox, Moment now);

    Behaviour defaults_;
    std::shared_ptr<const Behaviour> shared_defaults_;  // one for all pods that say nothing
    Chance chance_;
    std::int64_t jitter_us_;
    bool has_logs_;
    Observer observer_;
    Sandboxes sandboxes_;
    Containers containers_;
    std::set<Due> due_;
};

#endif
