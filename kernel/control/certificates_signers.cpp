#include "kernel/control/certificates_signers.h"

#include <algorithm>

#include "kernel/base/base64.h"
#include "kernel/object/conditions.h"
#include "kernel/object/time_format.h"

namespace keelson::control {
namespace {

using api_types::certificates_v1::CertificateSigningRequest;
using api_types::certificates_v1::CertificateSigningRequestSpec;
using base::Result;
using base::Status;

constexpr std::string_view kDigitalSignature = "digital signature";
constexpr std::string_view kKeyEncipherment = "key encipherment";
constexpr std::string_view kClientAuth = "client auth";
constexpr std::string_view kServerAuth = "server auth";

Status refusal(std::string message) {
    return {base::Reason::bad_request, std::move(message)};
}

bool has_usage(CertificateSigningRequestSpec spec, std::string_view usage) {
    return std::ranges::any_of(spec.usages(), [&](std::string_view present) { return present == usage; });
}

// `required` and no others but those that every key may have.
Result<void> check_usages(CertificateSigningRequestSpec spec, std::string_view required, bool must_sign) {
    for (const std::string_view usage : spec.usages())
        if (usage != required && usage != kDigitalSignature && usage != kKeyEncipherment)
            return refusal("invalid usage for the signer: \"" + std::string(usage) + "\"");
    if (!has_usage(spec, required))
        return refusal("missing required usage: \"" + std::string(required) + "\"");
    if (must_sign && !has_usage(spec, kDigitalSignature))
        return refusal("missing required usage: \"" + std::string(kDigitalSignature) + "\"");
    return base::ok();
}

Result<void> check_node_subject(const RequestFacts& facts) {
    if (facts.organizations != std::vector<std::string>{"system:nodes"})
        return refusal("subject organization is not system:nodes");
    constexpr std::string_view kPrefix = "system:node:";
    if (!facts.common_name.starts_with(kPrefix) || facts.common_name.size() == kPrefix.size())
        return refusal("subject common name does not begin with system:node:");
    if (facts.has_other_names) return refusal("email and URI subjectAltNames are not allowed");
    return base::ok();
}

}  // namespace

Result<std::string> request_text(CertificateSigningRequestSpec spec) {
    return base::base64_decode(spec.request());
}

Result<void> check_for_signer(CertificateSigningRequestSpec spec, const RequestFacts& facts) {
    const std::string_view signer = spec.signer_name();
    if (signer == api_client_signer) return check_usages(spec, kClientAuth, false);
    KEELSON_TRY_VOID(check_node_subject(facts));
    const bool has_names = !facts.dns_names.empty() || !facts.addresses.empty();
    if (signer == node_client_signer) {
        if (has_names) return refusal("DNS and IP subjectAltNames are not allowed");
        return check_usages(spec, kClientAuth, true);
    }
    if (!has_names) return refusal("at least one DNS or IP subjectAltName is required");
    return check_usages(spec, kServerAuth, true);
}

bool has_condition(CertificateSigningRequest request, std::string_view type) {
    return object::find_condition(request.status().conditions().untyped(), type).is_set();
}

void add_condition(CertificateSigningRequest request, std::string_view type, std::string_view reason,
                   std::string_view message, base::WallTime now, object::Arena& arena) {
    const std::string time = object::format_time(object::instant_of(now));
    const auto condition = request.make_status(arena).make_conditions(arena).add(arena);
    condition.set_type(arena, type);
    condition.set_status(arena, "True");
    condition.set_reason(arena, reason);
    condition.set_message(arena, message);
    condition.set_last_update_time(arena, time);
    condition.set_last_transition_time(arena, time);
}

}  // namespace keelson::control
