#include <algorithm>

#include "kernel/base/base64.h"
#include "kernel/control/certificates.h"
#include "kernel/control/certificates_signers.h"
#include "kernel/object/accessors/meta_v1.h"

namespace keelson::control {
namespace {

using api_types::certificates_v1::CertificateSigningRequest;
using api_types::certificates_v1::CertificateSigningRequestSpec;
using base::Result;
using base::Task;
using object::Document;

constexpr base::Duration kLongest = std::chrono::days(365);
// Clocks of clients may run behind ours.
constexpr base::Duration kBackdate = std::chrono::minutes(5);

bool is_our_signer(std::string_view signer) {
    return signer == api_client_signer || signer == node_client_signer || signer == node_serving_signer;
}

SigningTerms terms_of(CertificateSigningRequestSpec spec, base::WallTime now) {
    SigningTerms terms;
    for (const std::string_view usage : spec.usages()) terms.usages.emplace_back(usage);
    base::Duration life = kLongest;
    // Before it becomes nanoseconds: there are not that many.
    constexpr std::int64_t kLongestSeconds =
        std::chrono::duration_cast<std::chrono::seconds>(kLongest).count();
    if (spec.has_expiration_seconds())
        life = std::chrono::seconds(std::min(spec.expiration_seconds(), kLongestSeconds));
    terms.not_before = now - kBackdate;
    terms.not_after = now + life;
    return terms;
}

class SigningController final : public Controller {
  public:
    SigningController(const Surroundings& surroundings, CertificateAuthority authority)
        : surroundings_(surroundings),
          authority_(std::move(authority)),
          requests_(surroundings.informers.of(certificate_requests)) {}

    [[nodiscard]] std::string_view name() const override { return "certificate-signing"; }
    void watch(Queue& queue) override { enqueue_objects(requests_, queue); }

    Task<Result<Again>> reconcile(ObjectKey key, Writer& writer) override {
        const ObjectPointer object = requests_.get(key);
        if (!object) co_return done();
        const CertificateSigningRequest request(object->root());
        const bool is_due = is_our_signer(request.spec().signer_name()) &&
                            has_condition(request, "Approved") && !has_condition(request, "Denied") &&
                            !has_condition(request, "Failed") && request.status().certificate().empty();
        if (!is_due) co_return done();
        Document changed = object->clone();
        const CertificateSigningRequest answered(changed.root);
        const Result<std::string> certificate = sign(request.spec());
        // The CA itself is at fault: the request waits until it is mended.
        if (!certificate && certificate.error().reason() == base::Reason::internal_error)
            co_return certificate.error();
        if (certificate)
            answered.make_status(changed.arena)
                .set_certificate(changed.arena, base::base64_encode(*certificate));
        else
            add_condition(answered, "Failed", "SignerValidationFailure", certificate.error().message(),
                          surroundings_.now(), changed.arena);
        auto writing = writer.update_status(certificate_requests, changed.root);
        const Writer::Object written = co_await writing;
        if (!written && written.error().code() != 404) co_return written.error();
        co_return done();
    }

  private:
    [[nodiscard]] Result<std::string> sign(CertificateSigningRequestSpec spec) const {
        KEELSON_TRY(const std::string text, request_text(spec));
        KEELSON_TRY(const RequestFacts facts, read_request(text));
        KEELSON_TRY_VOID(check_for_signer(spec, facts));
        return sign_request(authority_, text, terms_of(spec, surroundings_.now()));
    }

    const Surroundings& surroundings_;
    CertificateAuthority authority_;
    Informer& requests_;
};

}  // namespace

std::unique_ptr<Controller> make_certificate_signing_controller(const Surroundings& surroundings,
                                                                CertificateAuthority authority) {
    return std::make_unique<SigningController>(surroundings, std::move(authority));
}

}  // namespace keelson::control
