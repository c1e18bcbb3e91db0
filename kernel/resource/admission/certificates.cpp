// The one admission step that looks into a certificate signing request.

#include "kernel/base/base64.h"
#include "kernel/base/openssl.h"
#include "kernel/resource/admission/admission.h"
#include "kernel/resource/errors.h"

namespace keelson::resource::admission {
namespace {

// Whether the subject of a PEM certificate request names an organization. What is no request is left to
// validation.
bool requests_organization(const std::string& pem, std::string_view organization) {
    const auto request = base::parse_certificate_request(pem);
    if (!request) return false;
    const auto organizations =
        base::subject_texts(X509_REQ_get_subject_name(request.get()), NID_organizationName);
    return std::ranges::find(organizations, organization) != organizations.end();
}

}  // namespace

base::Result<void> certificate_subject_restriction(const AdmissionRequest& request) {
    if (!request.creates("certificates.k8s.io", "certificatesigningrequests")) return base::ok();
    object::Value spec = request.object["spec"];
    constexpr std::string_view kSigner = "kubernetes.io/kube-apiserver-client";
    if (spec["signerName"].as_string() != kSigner) return base::ok();
    auto pem = base::base64_decode(spec["request"].as_string());
    if (!pem || !requests_organization(*pem, access::masters_group)) return base::ok();
    return forbidden(*request.call.resource, request.object["metadata"]["name"].as_string(),
                     "use of " + std::string(kSigner) + " signer with " + std::string(access::masters_group) +
                         " group is not allowed");
}

}  // namespace keelson::resource::admission
