// The cluster's roles and bindings as the store has them, followed by a watch: read once, then change by
// change.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <shared_mutex>

#include "kernel/access/rbac_authorizer.h"
#include "kernel/object/value.h"
#include "kernel/store/store.h"

namespace keelson::resource {

// The store tells of a change before it acknowledges the write: whoever has the answer to a write finds it in
// force. Without news a read costs two atomic loads more than the decision.
class StoredRbac final : public access::RbacSource {
  public:
    // The store outlives it. Everything is read at the first question.
    explicit StoredRbac(store::Store& store) : store_(store) {}

    [[nodiscard]] base::Result<void> read(
        const std::function<void(const access::RbacPolicy&)>& visit) override;

  private:
    [[nodiscard]] base::Result<void> catch_up();
    [[nodiscard]] base::Result<void> load();
    [[nodiscard]] base::Result<void> take_changes();

    store::Store& store_;
    // Counts what the store has told; the callback may outlive this object.
    std::shared_ptr<std::atomic<std::uint64_t>> news_ = std::make_shared<std::atomic<std::uint64_t>>(1);
    std::atomic<std::uint64_t> seen_{0};  // news up to here are in policy_
    std::mutex watch_mutex_;
    std::unique_ptr<store::Watch> watch_;  // null: nothing has been loaded
    std::shared_mutex policy_mutex_;
    access::RbacPolicy policy_;
};

// The rules of a Role or ClusterRole object.
[[nodiscard]] std::vector<access::PolicyRule> policy_rules_of(object::Value role);

}  // namespace keelson::resource
