// The one admission step that looks into a certificate signing request.
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>

#include "kernel/base/base64.h"
#include "kernel/resource/admission/admission.h"
#include "kernel/resource/errors.h"

namespace keelson::resource::admission {
namespace {

// Whether the subject of a PEM certificate request names an organization. What is no request is left to
// validation.
bool requests_organization(const std::string& pem, std::string_view organization) {
    std::unique_ptr<BIO, decltype(&BIO_free)> source(
        BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
    std::unique_ptr<X509_REQ, decltype(&X509_REQ_free)> request(
        PEM_read_bio_X509_REQ(source.get(), nullptr, nullptr, nullptr), X509_REQ_free);
    if (!request) return false;
    X509_NAME* subject = X509_REQ_get_subject_name(request.get());
    int at = -1;
    while ((at = X509_NAME_get_index_by_NID(subject, NID_organizationName, at)) >= 0) {
        const ASN1_STRING* data = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
        std::string_view name(reinterpret_cast<const char*>(ASN1_STRING_get0_data(data)),
                              static_cast<std::size_t>(ASN1_STRING_length(data)));
        if (name == organization) return true;
    }
    return false;
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
