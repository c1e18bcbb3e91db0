// Charging ResourceQuotas: an object and what it uses up are written in one transaction, so that no quota is
// ever exceeded.
#pragma once

#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "kernel/base/result.h"
#include "kernel/base/task.h"
#include "kernel/resource/call.h"
#include "kernel/resource/lookup.h"
#include "kernel/store/store.h"

namespace keelson::resource {

// Writers that charge the quotas of one namespace take turns: they would all change the same objects, and
// all but one of each round would have to begin again. Thread-safe.
class QuotaGate {
  public:
    class Pass {
      public:
        Pass() = default;
        Pass(QuotaGate& gate, std::string namespace_name)
            : gate_(&gate), namespace_name_(std::move(namespace_name)) {}
        Pass(Pass&& other) noexcept
            : gate_(std::exchange(other.gate_, nullptr)), namespace_name_(std::move(other.namespace_name_)) {}
        Pass& operator=(Pass&& other) noexcept {
            std::swap(gate_, other.gate_);
            std::swap(namespace_name_, other.namespace_name_);
            return *this;
        }
        ~Pass() {
            if (gate_) gate_->leave(namespace_name_);
        }

      private:
        QuotaGate* gate_ = nullptr;
        std::string namespace_name_;
    };

    base::Task<Pass> enter(std::string namespace_name);

  private:
    void leave(const std::string& namespace_name);

    std::mutex mutex_;
    std::map<std::string, std::deque<base::Completion<bool>>> waiting_;  // of the namespaces with one inside
};

// Whether the call may be charged at all.
[[nodiscard]] base::Result<bool> may_charge_quota(const Call& call, const Lookup& lookup);

// The changes of quotas that go with the write of `object` (stored version; `old` unset for a creation), or
// the refusal.
[[nodiscard]] base::Result<std::vector<store::Operation>> charge_quotas(
    const Call& call, object::Value object, object::Value old, const Lookup& lookup, base::WallTime now,
    object::Arena& arena);

}  // namespace keelson::resource
