#include <algorithm>

#include "kernel/access/identity.h"
#include "kernel/control/certificates.h"
#include "kernel/control/certificates_signers.h"
#include "kernel/object/accessors/core_v1.h"
#include "kernel/object/accessors/meta_v1.h"
#include "kernel/object/addresses.h"

namespace keelson::control {
namespace {

using api_types::certificates_v1::CertificateSigningRequest;
using api_types::certificates_v1::CertificateSigningRequestSpec;
using api_types::core_v1::Node;
using api_types::core_v1::NodeAddress;
using base::Result;
using base::Task;
using object::Document;
using object::Value;

// A node may ask before it has told its addresses.
constexpr base::Duration kAddressPause = std::chrono::seconds(10);

enum class Verdict : std::uint8_t { approve, leave, later };

bool is_in_group(CertificateSigningRequestSpec spec, std::string_view group) {
    return std::ranges::any_of(spec.groups(), [&](std::string_view present) { return present == group; });
}

bool is_node_itself(CertificateSigningRequestSpec spec, const RequestFacts& facts) {
    return spec.username() == facts.common_name && is_in_group(spec, access::nodes_group);
}

bool has_address(Node node, std::string_view name, bool is_ip) {
    return std::ranges::any_of(node.status().addresses(), [&](NodeAddress address) {
        const bool is_ip_type = address.type() == "InternalIP" || address.type() == "ExternalIP";
        if (is_ip != is_ip_type) return false;
        if (!is_ip) return address.address() == name;
        const auto parsed = object::IpAddress::parse(address.address());
        return parsed && parsed->to_string() == name;
    });
}

class ApprovingController final : public Controller {
  public:
    explicit ApprovingController(const Surroundings& surroundings)
        : surroundings_(surroundings),
          requests_(surroundings.informers.of(certificate_requests)),
          nodes_(surroundings.informers.of(client::collections::nodes)) {}

    [[nodiscard]] std::string_view name() const override { return "certificate-approving"; }
    void watch(Queue& queue) override { enqueue_objects(requests_, queue); }

    Task<Result<Again>> reconcile(ObjectKey key, Writer& writer) override {
        const ObjectPointer object = requests_.get(key);
        if (!object) co_return done();
        const CertificateSigningRequest request(object->root());
        const bool is_decided = has_condition(request, "Approved") || has_condition(request, "Denied") ||
                                has_condition(request, "Failed");
        if (is_decided) co_return done();
        switch (judge(request.spec())) {
            case Verdict::leave:
                break;
            case Verdict::later:
                co_return again_after(kAddressPause);
            case Verdict::approve: {
                auto approving = approve(object, writer);
                KEELSON_CO_TRY_VOID(co_await approving);
            }
        }
        co_return done();
    }

  private:
    [[nodiscard]] Verdict judge(CertificateSigningRequestSpec spec) const {
        const bool is_serving = spec.signer_name() == node_serving_signer;
        if (!is_serving && spec.signer_name() != node_client_signer) return Verdict::leave;
        const auto text = request_text(spec);
        const auto facts = text ? read_request(*text) : Result<RequestFacts>(text.error());
        if (!facts || !check_for_signer(spec, *facts)) return Verdict::leave;
        if (!is_serving) {
            const bool may = is_node_itself(spec, *facts) || is_in_group(spec, access::bootstrappers_group);
            return may ? Verdict::approve : Verdict::leave;
        }
        if (!is_node_itself(spec, *facts)) return Verdict::leave;
        return has_all_names(*facts) ? Verdict::approve : Verdict::later;
    }

    [[nodiscard]] bool has_all_names(const RequestFacts& facts) const {
        const ObjectPointer object =
            nodes_.get({"", facts.common_name.substr(access::node_user_prefix.size())});
        if (!object) return false;
        const Node node(object->root());
        const auto is_own = [&](bool is_ip) {
            return [node, is_ip](const std::string& name) { return has_address(node, name, is_ip); };
        };
        return std::ranges::all_of(facts.addresses, is_own(true)) &&
               std::ranges::all_of(facts.dns_names, is_own(false));
    }

    Task<Result<void>> approve(ObjectPointer object, Writer& writer) {
        Document changed = object->clone();
        const CertificateSigningRequest request(changed.root);
        add_condition(request, "Approved", "AutoApproved", "Auto approving a certificate of a node",
                      surroundings_.now(), changed.arena);
        Document patch;
        patch.root = Value::map(patch.arena);
        const CertificateSigningRequest wanted(patch.root);
        wanted.make_metadata(patch.arena)
            .set_resource_version(patch.arena, request.metadata().resource_version());
        const auto conditions = wanted.make_status(patch.arena).make_conditions(patch.arena);
        for (const auto condition : request.status().conditions()) conditions.add(patch.arena, condition);
        auto patching = writer.patch(certificate_requests, object->key(), client::PatchType::merge,
                                     patch.root, "approval");
        const Writer::Object patched = co_await patching;
        if (!patched && patched.error().code() != 404) co_return patched.error();
        co_return base::ok();
    }

    const Surroundings& surroundings_;
    Informer& requests_;
    Informer& nodes_;
};

}  // namespace

std::unique_ptr<Controller> make_certificate_approving_controller(const Surroundings& surroundings) {
    return std::make_unique<ApprovingController>(surroundings);
}

}  // namespace keelson::control
