#include <algorithm>
#include <array>

#include "kernel/resource/admission/admission.h"
#include "kernel/resource/errors.h"

namespace keelson::resource::admission {

namespace {
constexpr std::array<std::string_view, 4> kProtected{"default", "kube-system", "kube-public",
                                                     "kube-node-lease"};
}

base::Result<void> namespace_lifecycle(const AdmissionRequest& request) {
    const Call& call = request.call;
    if (request.operation == Operation::remove) {
        if (request.is("", "namespaces") && std::ranges::find(kProtected, call.name) != kProtected.end())
            return forbidden(*call.resource, call.name, "this namespace may not be deleted");
        return base::ok();
    }
    if (!call.resource->namespaced || request.operation != Operation::create) return base::ok();
    // Access reviews ask about namespaces that need not exist.
    if (call.resource->group == "authorization.k8s.io") return base::ok();
    KEELSON_TRY(object::Value space,
                request.lookup.get("", "namespaces", "", call.namespace_name, request.arena));
    if (space.is_absent())
        return not_found(*object::find_resource("", "v1", "namespaces"), call.namespace_name);
    if (space["status"]["phase"].as_string() != "Terminating" &&
        space["metadata"]["deletionTimestamp"].is_unset())
        return base::ok();
    std::string name = request.object["metadata"]["name"].to_string();
    base::Status status = forbidden(*call.resource, name,
                                    "unable to create new content in namespace " + call.namespace_name +
                                        " because it is being terminated");
    status.mutable_details().causes.push_back({"NamespaceTerminating",
                                               "namespace " + call.namespace_name + " is being terminated",
                                               "metadata.namespace"});
    return status;
}

}  // namespace keelson::resource::admission
