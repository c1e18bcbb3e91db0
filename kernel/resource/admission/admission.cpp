#include "kernel/resource/admission/admission.h"

namespace keelson::resource {

base::Result<void> admit_mutating(const AdmissionRequest& request) {
    using namespace admission;
    for (auto step : {namespace_lifecycle, limit_range_defaults, service_account, taint_new_nodes, priority,
                      default_toleration_seconds, default_storage_class, storage_object_in_use_protection,
                      runtime_class, default_ingress_class})
        KEELSON_TRY_VOID(step(request));
    return base::ok();
}

base::Result<void> admit_validating(const AdmissionRequest& request) {
    using namespace admission;
    for (auto step :
         {namespace_lifecycle, limit_range_bounds, certificate_subject_restriction, node_restriction})
        KEELSON_TRY_VOID(step(request));
    return base::ok();
}

}  // namespace keelson::resource
