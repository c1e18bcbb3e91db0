#include "kernel/object/validation/kinds.h"

namespace keelson::object::validation {

void check_lease(FieldErrors& errors, const Request& request) {
    const FieldPath path("spec");
    Value spec = request.spec();
    if (request.is_update())
        validate_object_meta_update(errors, request);
    else
        validate_plain_object_meta(errors, request, name_is_dns_subdomain);
    if (Value seconds = spec["leaseDurationSeconds"]; seconds.is_set() && seconds.as_integer() <= 0)
        errors.invalid(path.child("leaseDurationSeconds"), seconds.as_integer(), "must be greater than 0");
    if (Value transitions = spec["leaseTransitions"]; transitions.is_set() && transitions.as_integer() < 0)
        errors.invalid(path.child("leaseTransitions"), transitions.as_integer(), kNotNegative);
    if (Value strategy = spec["strategy"];
        strategy.is_set() && strategy.as_string() != "OldestEmulationVersion")
        errors.invalid_each(path.child("strategy"), strategy.as_string(),
                            is_qualified_name(strategy.as_string()));
    if (!spec["preferredHolder"].empty() && spec["strategy"].empty())
        errors.forbidden(path.child("preferredHolder"), "may only be specified if `strategy` is defined");
}

}  // namespace keelson::object::validation
