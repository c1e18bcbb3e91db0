#include <algorithm>

#include "kernel/base/base64.h"
#include "kernel/control/certificates.h"
#include "kernel/control/certificates_signers.h"
#include "kernel/object/accessors/meta_v1.h"
#include "kernel/object/conditions.h"
#include "kernel/object/time_format.h"

namespace keelson::control {
namespace {

using api_types::certificates_v1::CertificateSigningRequest;
using api_types::certificates_v1::CertificateSigningRequestCondition;
using base::Result;
using base::Task;
using base::WallTime;

// Kubernetes' periods (pkg/controller/certificates/cleaner).
constexpr base::Duration kPendingLife = std::chrono::hours(24);
constexpr base::Duration kAnsweredLife = std::chrono::hours(1);

WallTime later(std::string_view time, base::Duration life) {
    const auto parsed = object::parse_time(time);
    return parsed ? object::wall_time_of(*parsed) + life : WallTime::max();
}

WallTime end_of_condition(CertificateSigningRequest request, std::string_view type, base::Duration life) {
    const CertificateSigningRequestCondition condition(
        object::find_condition(request.status().conditions().untyped(), type));
    if (!condition.untyped().is_set()) return WallTime::max();
    return later(condition.last_update_time(), life);
}

// When nobody waits for it any more.
WallTime end_of(CertificateSigningRequest request) {
    if (request.status().conditions().empty())
        return later(request.metadata().creation_timestamp(), kPendingLife);
    WallTime end = std::min(end_of_condition(request, "Denied", kAnsweredLife),
                            end_of_condition(request, "Failed", kAnsweredLife));
    const std::string_view encoded = request.status().certificate();
    if (encoded.empty()) return std::min(end, end_of_condition(request, "Approved", kPendingLife));
    end = std::min(end, end_of_condition(request, "Approved", kAnsweredLife));
    const auto text = base::base64_decode(encoded);
    const auto expiry = text ? end_of_certificate(*text) : Result<WallTime>(text.error());
    return expiry ? std::min(end, *expiry) : end;
}

class CleaningController final : public Controller {
  public:
    explicit CleaningController(const Surroundings& surroundings)
        : surroundings_(surroundings), requests_(surroundings.informers.of(certificate_requests)) {}

    [[nodiscard]] std::string_view name() const override { return "certificate-cleaning"; }
    void watch(Queue& queue) override { enqueue_objects(requests_, queue); }

    Task<Result<Again>> reconcile(ObjectKey key, Writer& writer) override {
        const ObjectPointer object = requests_.get(key);
        if (!object) co_return done();
        const WallTime end = end_of(CertificateSigningRequest(object->root()));
        if (end == WallTime::max()) co_return done();
        const WallTime now = surroundings_.now();
        if (now < end) co_return again_after(end - now);
        auto removing = writer.remove(certificate_requests, object);
        const Result<void> removed = co_await removing;
        if (!removed && removed.error().code() != 404) co_return removed.error();
        co_return done();
    }

  private:
    const Surroundings& surroundings_;
    Informer& requests_;
};

}  // namespace

std::unique_ptr<Controller> make_certificate_cleaning_controller(const Surroundings& surroundings) {
    return std::make_unique<CleaningController>(surroundings);
}

}  // namespace keelson::control
