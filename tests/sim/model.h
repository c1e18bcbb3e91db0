// The state of the store, kept by following every change of it: what is really there, whatever the parts of
// the control plane have seen so far.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "kernel/base/clock.h"
#include "kernel/object/value.h"
#include "kernel/store/store.h"

namespace keelson::sim {

// One object at one revision.
struct Seen {
    object::Document document;
    std::string key;       // of the store
    std::string resource;  // "apps/replicasets", "core/pods"
    std::string namespace_name;
    std::string name;
    std::string uid;
    std::string controller_uid;
    std::uint64_t revision = 0;
    base::MonotonicTime since;  // when it was first seen with this uid
    bool is_being_deleted = false;

    [[nodiscard]] object::Value operator[](std::string_view member) const { return document.root[member]; }
    [[nodiscard]] object::Value at(std::initializer_list<std::string_view> path) const {
        return document.root.path(path);
    }
};
using SeenPointer = std::shared_ptr<const Seen>;

struct SeenChange {
    SeenPointer before;  // null: it is new
    SeenPointer now;     // null: it is gone
    [[nodiscard]] const Seen& any() const { return now ? *now : *before; }
};

class Model {
  public:
    using Visitor = std::function<void(const SeenChange&)>;

    Model(store::Store& store, const base::Clock& clock);
    // Takes in what was written since, one revision after the other.
    void follow(const Visitor& visit);

    [[nodiscard]] std::vector<SeenPointer> all(std::string_view resource,
                                               std::string_view namespace_name = {}) const;
    [[nodiscard]] SeenPointer get(std::string_view resource, std::string_view namespace_name,
                                  std::string_view name) const;
    [[nodiscard]] SeenPointer by_uid(const std::string& uid) const;
    // Those whose controller it is.
    [[nodiscard]] std::vector<SeenPointer> controlled_by(const std::string& uid,
                                                         std::string_view resource) const;
    [[nodiscard]] const std::map<std::string, SeenPointer>& everything() const { return by_key_; }

    // Over everything that was ever written, times included.
    [[nodiscard]] std::uint64_t history_hash() const { return hash_; }
    [[nodiscard]] std::uint64_t revision() const { return revision_; }
    // When something was last written that is not the heartbeat of a node, and what.
    [[nodiscard]] base::MonotonicTime last_real_write() const { return last_real_write_; }
    [[nodiscard]] const std::string& last_real_key() const { return last_real_key_; }

  private:
    [[nodiscard]] SeenPointer parse(const store::Record& record, const SeenPointer& before) const;
    void take_in(const store::Event& event, const Visitor& visit);
    void hash(std::string_view bytes);

    store::Store& store_;
    const base::Clock& clock_;
    std::unique_ptr<store::Watch> watch_;
    std::map<std::string, SeenPointer> by_key_;
    std::unordered_map<std::string, SeenPointer> by_uid_;
    std::unordered_map<std::string, std::map<std::string, SeenPointer>> by_controller_;
    std::uint64_t hash_ = 14695981039346656037ULL;
    std::uint64_t revision_ = 0;
    base::MonotonicTime last_real_write_;
    std::string last_real_key_;
};

// What is asked of the pods of the model.
[[nodiscard]] bool is_finished_pod(const Seen& pod);
[[nodiscard]] bool is_active_pod(const Seen& pod);  // neither finished nor being deleted
[[nodiscard]] bool is_ready_pod(const Seen& pod);
[[nodiscard]] std::string_view node_of_pod(const Seen& pod);
[[nodiscard]] std::int64_t requested_cpu_milli(const Seen& pod);
// The condition is there with status True.
[[nodiscard]] bool has_condition(const Seen& object, std::string_view type);
[[nodiscard]] std::int64_t replicas_of(const Seen& workload);  // spec.replicas, 1 when unset

}  // namespace keelson::sim
