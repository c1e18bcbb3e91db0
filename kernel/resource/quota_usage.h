// What objects count as under ResourceQuotas. Pure functions.
// Source: https://kubernetes.io/docs/concepts/policy/resource-quotas/.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

#include "kernel/base/clock.h"
#include "kernel/object/quantity.h"
#include "kernel/object/value.h"

namespace keelson::resource {

// By the names that quotas use: "pods", "requests.cpu", "count/deployments.apps".
using Amounts = std::map<std::string, object::Quantity, std::less<>>;

// A resource list {cpu: 1}; what is no quantity counts as zero.
[[nodiscard]] Amounts amounts_of(object::Value list);
void add_amounts(Amounts& to, const Amounts& more);
// Those of that name only.
[[nodiscard]] Amounts masked(const Amounts& amounts, const std::set<std::string>& names);
// "pods=1,requests.cpu=600m"
[[nodiscard]] std::string to_text(const Amounts& amounts);

// Whether objects of that resource count under a name.
[[nodiscard]] bool counts_under(std::string_view group, std::string_view resource, std::string_view name);

// A pod that has ended counts as an object only.
[[nodiscard]] Amounts quota_usage_of(std::string_view group, std::string_view resource, object::Value object,
                                     base::WallTime now);

// Whether spec.scopes and spec.scopeSelector of the quota admit the object.
[[nodiscard]] bool is_in_scope(object::Value quota, std::string_view group, std::string_view resource,
                               object::Value object);

// Containers must name what is limited of CPU and memory: "requests.cpu for: a,b", or empty.
[[nodiscard]] std::string missing_for_quota(object::Value pod, const std::set<std::string>& names);

}  // namespace keelson::resource
