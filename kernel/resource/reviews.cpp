#include "kernel/resource/reviews.h"

#include "kernel/object/conform.h"
#include "kernel/object/field_errors.h"
#include "kernel/object/selector.h"
#include "kernel/object/validation/validation.h"
#include "kernel/resource/errors.h"

namespace keelson::resource {

using base::Result;
using base::Status;
using base::Task;
using object::Arena;
using object::Value;

namespace {

Value text_list(const std::vector<std::string>& items, Arena& arena) {
    Value list = Value::list(arena, items.size());
    for (const std::string& item : items) list.push_back(arena, Value::string(arena, item));
    return list;
}

Value user_info(const access::Identity& identity, Arena& arena) {
    Value user = Value::map(arena);
    user.set(arena, "username", Value::string(arena, identity.user));
    if (!identity.uid.empty()) user.set(arena, "uid", Value::string(arena, identity.uid));
    if (!identity.groups.empty()) user.set(arena, "groups", text_list(identity.groups, arena));
    if (!identity.extra.empty()) {
        Value extra = Value::map(arena);
        for (const auto& [name, values] : identity.extra)
            extra.set(arena, arena.copy(name), text_list(values, arena));
        user.set(arena, "extra", extra);
    }
    return user;
}

access::Identity identity_of(Value spec) {
    access::Identity identity;
    identity.user = spec["user"].to_string();
    identity.uid = spec["uid"].to_string();
    for (Value group : spec["groups"].items()) identity.groups.push_back(group.to_string());
    for (const object::Member& entry : spec["extra"].members()) {
        std::vector<std::string> values;
        for (Value value : entry.value.items()) values.push_back(value.to_string());
        identity.extra.emplace_back(entry.name, std::move(values));
    }
    return identity;
}

access::Attributes attributes_of(Value spec, access::Identity identity) {
    access::Attributes attributes;
    attributes.user = std::move(identity);
    Value resource = spec["resourceAttributes"], other = spec["nonResourceAttributes"];
    if (resource.is_set()) {
        attributes.is_resource_request = true;
        attributes.verb = resource["verb"].to_string();
        attributes.group = resource["group"].to_string();
        attributes.version = resource["version"].is_string() ? resource["version"].to_string() : "*";
        attributes.namespace_name = resource["namespace"].to_string();
        attributes.resource = resource["resource"].to_string();
        attributes.subresource = resource["subresource"].to_string();
        attributes.name = resource["name"].to_string();
    } else {
        attributes.verb = other["verb"].to_string();
        attributes.path = other["path"].to_string();
    }
    return attributes;
}

Task<Result<Value>> review_token(const Call& call, Value review, access::Authentication* authentication,
                                 Arena& arena) {
    if (review["spec"]["token"].as_string().empty())
        co_return bad_request("token is required for TokenReview in authentication");
    Value status = Value::map(arena);
    if (!authentication) {
        status.set(arena, "error", Value::reference("no authenticator is configured"));
    } else {
        std::string token = review["spec"]["token"].to_string();
        std::vector<std::string> audiences;
        for (Value audience : review["spec"]["audiences"].items()) audiences.push_back(audience.to_string());
        auto identity = co_await authentication->authenticate_token(token, audiences);
        if (identity) {
            status.set(arena, "authenticated", Value::boolean(true));
            status.set(arena, "user", user_info(*identity, arena));
            if (!identity->audiences.empty())
                status.set(arena, "audiences", text_list(identity->audiences, arena));
        } else {
            status.set(arena, "error", Value::string(arena, identity.error().message()));
        }
    }
    review.set(arena, "status", status);
    co_return object::canonical(*call.resource->type, review, arena);
}

Task<Result<Value>> review_access(const Call& call, Value review, const access::Authorization* authorization,
                                  Arena& arena) {
    object::FieldErrors errors = object::validate_create(*call.resource, review, arena);
    std::string_view space = review["spec"]["resourceAttributes"]["namespace"].as_string();
    if (call.resource->namespaced && space != call.namespace_name) {
        object::FieldPath spec("spec");
        object::FieldPath attributes = spec.child("resourceAttributes");
        errors = {};
        errors.invalid(attributes.child("namespace"), space, "must match metadata.namespace");
    }
    if (!errors.empty()) co_return object::invalid_status(call.resource->group, "", "", errors);
    bool self = call.resource->kind == "SelfSubjectAccessReview";
    access::Decision decision;
    if (authorization) {
        access::Identity identity = self ? call.identity : identity_of(review["spec"]);
        access::Attributes attributes = attributes_of(review["spec"], std::move(identity));
        decision = co_await authorization->authorize(attributes);
    }
    Value status = Value::map(arena);
    status.set(arena, "allowed", Value::boolean(decision.allowed));
    if (decision.denied) status.set(arena, "denied", Value::boolean(true));
    if (!decision.reason.empty()) status.set(arena, "reason", Value::string(arena, decision.reason));
    review.set(arena, "status", status);
    co_return object::canonical(*call.resource->type, review, arena);
}

Value rule_value(const access::PolicyRule& rule, Arena& arena) {
    Value value = Value::map(arena);
    const auto add = [&](std::string_view name, const std::vector<std::string>& items) {
        if (!items.empty()) value.set(arena, name, text_list(items, arena));
    };
    add("verbs", rule.verbs);
    add("apiGroups", rule.groups);
    add("resources", rule.resources);
    add("resourceNames", rule.resource_names);
    add("nonResourceURLs", rule.paths);
    return value;
}

Task<Result<Value>> review_rules(const Call& call, Value review, const access::Authorization* authorization,
                                 Arena& arena) {
    const std::string namespace_name = review["spec"]["namespace"].to_string();
    if (namespace_name.empty()) co_return bad_request("no namespace on request");
    access::UserRules rules{.rules = {}, .incomplete = true, .problems = {}};
    if (authorization) rules = co_await authorization->rules_of(call.identity, namespace_name);
    Value resource_rules = Value::list(arena), other_rules = Value::list(arena);
    for (const access::PolicyRule& rule : rules.rules)
        (rule.paths.empty() ? resource_rules : other_rules).push_back(arena, rule_value(rule, arena));
    Value status = Value::map(arena);
    status.set(arena, "resourceRules", resource_rules);
    status.set(arena, "nonResourceRules", other_rules);
    status.set(arena, "incomplete", Value::boolean(rules.incomplete));
    if (!rules.problems.empty())
        status.set(arena, "evaluationError", Value::string(arena, access::join_problems(rules.problems)));
    review.set(arena, "status", status);
    co_return object::canonical(*call.resource->type, review, arena);
}

Status budget_refusal(const std::string& why) {
    base::StatusDetails details;
    details.causes.push_back({"DisruptionBudget", "The disruption budget " + why, ""});
    return Status(base::Reason::too_many_requests,
                  "Cannot evict pod as it would violate the pod's disruption budget.")
        .with_details(std::move(details));
}

Value condition_of(Value holder, std::string_view type) {
    for (Value condition : holder["status"]["conditions"].items())
        if (condition["type"].as_string() == type) return condition;
    return {};
}

// Why nothing can be paid from the budget; empty when something can.
std::string why_not(Value budget) {
    std::string name = budget["metadata"]["name"].to_string();
    Value status = budget["status"];
    if (status["observedGeneration"].as_integer() < budget["metadata"]["generation"].as_integer())
        return name + " is still being processed by the server.";
    if (status["disruptionsAllowed"].as_integer() > 0) return {};
    Value condition = condition_of(budget, "DisruptionAllowed");
    if (condition["reason"].as_string() == "SyncFailed")
        return name + " does not allow evicting pods currently because it failed sync: " +
               condition["message"].to_string();
    return name + " needs " + std::to_string(status["desiredHealthy"].as_integer()) +
           " healthy pods and has " + std::to_string(status["currentHealthy"].as_integer()) + " currently";
}

// A pod that is not ready is no loss, unless it might become ready for an application that is disrupted
// already (https://kubernetes.io/docs/tasks/run-application/configure-pdb/#unhealthy-pod-eviction-policy).
bool is_free(Value budget, Value pod) {
    if (condition_of(pod, "Ready")["status"].as_string() == "True") return false;
    if (budget["spec"]["unhealthyPodEvictionPolicy"].as_string() == "AlwaysAllow") return true;
    std::int64_t desired = budget["status"]["desiredHealthy"].as_integer();
    return desired > 0 && budget["status"]["currentHealthy"].as_integer() >= desired;
}

// As long as the controller takes nothing back, no more are let go: it confirms what has gone.
constexpr std::size_t kUnconfirmedLimit = 2000;

}  // namespace

Task<Result<Value>> answer_review(const Call& call, Value review, std::string_view time,
                                  const access::Authorization* authorization,
                                  access::Authentication* authentication, Arena& arena) {
    std::string_view kind = call.resource->kind;
    if (kind == "TokenReview") co_return co_await review_token(call, review, authentication, arena);
    if (kind == "SelfSubjectReview") {
        review.child_map(arena, "metadata").set(arena, "creationTimestamp", Value::reference(time));
        Value status = Value::map(arena);
        status.set(arena, "userInfo", user_info(call.identity, arena));
        review.set(arena, "status", status);
        co_return object::canonical(*call.resource->type, review, arena);
    }
    if (kind == "SelfSubjectRulesReview") co_return co_await review_rules(call, review, authorization, arena);
    co_return co_await review_access(call, review, authorization, arena);
}

Task<Result<void>> spend_disruption_budget(Verbs& verbs, const Call& call, Value pod, bool dry_run) {
    Arena arena;
    std::vector<Value> budgets;
    KEELSON_CO_TRY_VOID(
        verbs.lookup().each("policy", "poddisruptionbudgets", call.namespace_name, arena, [&](Value budget) {
            auto selector = object::LabelSelector::from_object(budget["spec"]["selector"]);
            if (selector && selector->matches(pod["metadata"]["labels"])) budgets.push_back(budget);
        }));
    if (budgets.empty()) co_return base::ok();
    if (budgets.size() > 1)
        co_return internal_error(
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does "
            "not support.");
    if (is_free(budgets.front(), pod)) co_return base::ok();
    Call budget_call;
    budget_call.identity = call.identity;
    budget_call.resource = object::find_resource("policy", "v1", "poddisruptionbudgets");
    budget_call.subresource = budget_call.resource->subresource("status");
    budget_call.namespace_name = call.namespace_name;
    budget_call.name = budgets.front()["metadata"]["name"].to_string();
    WriteOptions options;
    options.dry_run = dry_run;
    std::string pod_name = call.name, time = verbs.now();
    Mutation spend = [&](Value budget, Arena& scratch) -> Result<Change> {
        if (std::string why = why_not(budget); !why.empty()) return budget_refusal(why);
        Value status = budget.child_map(scratch, "status");
        std::int64_t allowed = status["disruptionsAllowed"].as_integer();
        if (status["disruptedPods"].size() > kUnconfirmedLimit)
            return forbidden(
                *budget_call.resource, budget_call.name,
                "DisruptedPods map too big - too many evictions not confirmed by PDB controller");
        status.set(scratch, "disruptionsAllowed", Value::integer(allowed - 1));
        status.child_map(scratch, "disruptedPods")
            .set(scratch, scratch.copy(pod_name), Value::string(scratch, time));
        return Change{budget, true};
    };
    KEELSON_CO_TRY_VOID(co_await verbs.change(budget_call, spend, options));
    co_return base::ok();
}

}  // namespace keelson::resource
