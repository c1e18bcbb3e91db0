#include "kernel/object/validation/kinds.h"

namespace keelson::object::validation {

void check_disruption_budget(FieldErrors& errors, const Request& request) {
    const FieldPath path("spec");
    Value spec = request.spec();
    if (request.is_update())
        validate_object_meta_update(errors, request);
    else
        validate_object_meta(errors, request, name_is_dns_subdomain);
    if (request.subresource == "status") {
        const FieldPath status("status");
        for (std::string_view name :
             {"disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"})
            not_negative(errors, status.child(name), request.object["status"][name]);
        return validate_conditions(errors, status.child("conditions"),
                                   request.object.path({"status", "conditions"}));
    }
    Value least = spec["minAvailable"], most = spec["maxUnavailable"];
    if (least.is_set() && most.is_set())
        errors.invalid(path, BadValue::go_structure(spec),
                       "minAvailable and maxUnavailable cannot be both set");
    if (least.is_set()) {
        validate_positive_int_or_percent(errors, path.child("minAvailable"), least);
        validate_not_more_than_100_percent(errors, path.child("minAvailable"), least);
    }
    if (most.is_set()) {
        validate_positive_int_or_percent(errors, path.child("maxUnavailable"), most);
        validate_not_more_than_100_percent(errors, path.child("maxUnavailable"), most);
    }
    validate_label_selector(errors, path.child("selector"), spec["selector"]);
    if (Value policy = spec["unhealthyPodEvictionPolicy"]; policy.is_set())
        one_of(errors, path.child("unhealthyPodEvictionPolicy"), policy.as_string(),
               {"AlwaysAllow", "IfHealthyBudget"});
}

}  // namespace keelson::object::validation
