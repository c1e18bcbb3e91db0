#include "kernel/resource/signer_guard.h"

#include <string>

#include "kernel/resource/errors.h"

namespace keelson::resource {
namespace {

using base::Result;
using base::Task;
using object::Value;

constexpr std::string_view kGroup = "certificates.k8s.io";

bool changes_signature(Value object, Value old) {
    const Value now = object["status"], before = old["status"];
    return !now["certificate"].equals(before["certificate"]) ||
           !now["conditions"].equals(before["conditions"]);
}

}  // namespace

bool SignerGuard::concerns(const Call& call) {
    return call.resource->group == kGroup && call.resource->name == "certificatesigningrequests" &&
           (call.subresource_name() == "approval" || call.subresource_name() == "status");
}

Task<Result<void>> SignerGuard::check(const Call& call, Value object, Value old) const {
    const bool approves = call.subresource_name() == "approval";
    if (!approves && !changes_signature(object, old)) co_return base::ok();
    // The signer cannot be changed: what is there counts, not what was sent.
    const std::string signer = old["spec"]["signerName"].to_string();
    const std::string verb = approves ? "approve" : "sign";
    const bool allowed = co_await may(call, verb, signer);
    if (allowed) co_return base::ok();
    const bool allowed_for_domain = co_await may(call, verb, signer.substr(0, signer.find('/')) + "/*");
    if (allowed_for_domain) co_return base::ok();
    co_return forbidden(*call.resource, call.name,
                        "user not permitted to " + verb + " requests with signerName \"" + signer + "\"");
}

Task<bool> SignerGuard::may(const Call& call, std::string verb, std::string signer) const {
    access::Attributes attributes;
    attributes.user = call.identity;
    attributes.verb = std::move(verb);
    attributes.is_resource_request = true;
    attributes.group = kGroup;
    attributes.version = "*";
    attributes.resource = "signers";
    attributes.name = std::move(signer);
    const access::Decision decision = co_await authorization_.authorize(attributes);
    co_return decision.allowed;
}

}  // namespace keelson::resource
