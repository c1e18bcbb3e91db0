// The verbs on objects without HTTP: get, create, update, patch, delete. Every write of the system, from
// outside or from a controller, goes through here:
//   decode -> (patch onto current) -> default -> mutating admission -> strategy -> validate -> validating
//   admission
//   -> commit; a conflict with another writer during a patch or an unconditional update starts again.
// Authentication and authorization have happened before. Thread-safe; coroutines resume on their own
// executor.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "kernel/base/clock.h"
#include "kernel/base/ids.h"
#include "kernel/base/task.h"
#include "kernel/resource/call.h"
#include "kernel/resource/lookup.h"
#include "kernel/resource/quota_charge.h"
#include "kernel/resource/role_guard.h"
#include "kernel/resource/service_allocation.h"
#include "kernel/resource/signer_guard.h"
#include "kernel/store/store.h"

namespace keelson::resource {

// Turns the current object (request version, with resourceVersion; unset when there is none and the verb may
// create) into the wanted one: typed, defaulted, managed fields not yet tracked unless `tracks` says so.
struct Change {
    object::Value object;
    bool tracks_managed_fields = false;
};
using Mutation = std::function<base::Result<Change>(object::Value current, object::Arena& arena)>;

class Verbs {
  public:
    Verbs(store::Store& store, base::Clock& clock, base::RandomSource& random, NetworkSettings network);

    // Writes of roles and bindings, of approvals and signatures of certificates are judged by these; without
    // them they are not. Before the first request; the guards outlive this.
    void guard(const RoleGuard& roles, const SignerGuard& signers) {
        role_guard_ = &roles;
        signer_guard_ = &signers;
    }

    // resource_version: "" or "0", or a revision that the answer must not be older than.
    base::Task<base::Result<ObjectAnswer>> get(const Call& call, std::string_view resource_version = {});
    base::Task<base::Result<ObjectAnswer>> create(Call& call, const Body& body, const WriteOptions& options,
                                                  object::Arena& arena);
    base::Task<base::Result<ObjectAnswer>> update(Call& call, const Body& body, const WriteOptions& options,
                                                  object::Arena& arena);
    // `patch` is the raw patch document; for apply the configuration.
    base::Task<base::Result<ObjectAnswer>> patch(Call& call, PatchType type, const Body& patch,
                                                 const WriteOptions& options);
    base::Task<base::Result<ObjectAnswer>> remove(Call& call, const DeleteOptions& options);
    // Read, change, validate and write until nobody else wrote in between. The building block of update,
    // patch and the subresources. A mutation is called again with the newer object after a conflict.
    base::Task<base::Result<ObjectAnswer>> change(Call& call, const Mutation& mutation,
                                                  const WriteOptions& options,
                                                  const Preconditions& preconditions = {},
                                                  bool may_create = false);

    [[nodiscard]] store::Store& store() { return store_; }
    [[nodiscard]] const Lookup& lookup() const { return lookup_; }
    [[nodiscard]] base::Clock& clock() { return clock_; }
    [[nodiscard]] base::RandomSource& random() { return random_; }
    [[nodiscard]] const NetworkSettings& network() const { return network_; }
    // Now in RFC 3339.
    [[nodiscard]] std::string now() const;

  private:
    struct Pending;  // an object on its way into the store

    // `requested_name`: the name in the path.
    base::Task<base::Result<void>> judge(const Call& call, object::Value object, object::Value old,
                                         std::string requested_name) const;
    // A FlowSchema is told whether its priority level exists.
    base::Task<base::Result<void>> note_priority_level(const Call& call);
    base::Task<base::Result<ObjectAnswer>> create_object(Call& call, object::Value object,
                                                         const WriteOptions& options, object::Arena& arena);
    // Adds what the write uses up of quotas to its operations.
    base::Result<void> charge(const Call& call, object::Value object, object::Value old, Pending& pending,
                              object::Arena& arena) const;
    base::Result<Pending> prepare_new(Call& call, object::Value object, bool dry_run, object::Arena& arena);
    base::Result<Pending> prepare_changed(Call& call, object::Value object, object::Value old,
                                          const store::OwnedRecord& current, bool dry_run,
                                          object::Arena& arena);

    store::Store& store_;
    base::Clock& clock_;
    base::RandomSource& random_;
    NetworkSettings network_;
    Lookup lookup_;
    ServiceAllocation services_;
    QuotaGate quota_gate_;
    const RoleGuard* role_guard_ = nullptr;
    const SignerGuard* signer_guard_ = nullptr;
};

// The answer for a stored record in the version of the call's resource.
[[nodiscard]] base::Result<ObjectAnswer> answer_with(const object::Resource& requested,
                                                     const store::Record& record, int code = 200);

}  // namespace keelson::resource
