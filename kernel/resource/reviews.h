// Requests that are answered from the access chain or from other objects rather than stored.
#pragma once

#include "kernel/access/authentication.h"
#include "kernel/access/authorization.h"
#include "kernel/base/task.h"
#include "kernel/resource/call.h"
#include "kernel/resource/verbs.h"

namespace keelson::resource {

// Fills the status of a TokenReview, SelfSubjectReview, SubjectAccessReview (self and local too) or
// SelfSubjectRulesReview. `review` is canonical; the answer too. `time`: now in RFC 3339.
base::Task<base::Result<object::Value>> answer_review(const Call& call, object::Value review,
                                                      std::string_view time,
                                                      const access::Authorization* authorization,
                                                      access::Authentication* authentication,
                                                      object::Arena& arena);

// Takes one disruption from every PodDisruptionBudget that selects the pod. Fails with
// Reason::too_many_requests when one of them has none left.
base::Task<base::Result<void>> spend_disruption_budget(Verbs& verbs, const Call& call, object::Value pod,
                                                       bool dry_run);

}  // namespace keelson::resource
