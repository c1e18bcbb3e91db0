#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <map>

#include "kernel/base/base64.h"
#include "kernel/control/bootstrap_token_secret.h"
#include "kernel/control/bootstrap_tokens.h"
#include "kernel/object/accessors/meta_v1.h"

namespace keelson::control {
namespace {

using api_types::core_v1::ConfigMap;
using api_types::core_v1::Secret;
using base::Result;
using base::Task;
using object::Document;
using object::Value;

constexpr std::string_view kNamespace = "kube-public";
constexpr std::string_view kName = "cluster-info";
constexpr std::string_view kKubeconfig = "kubeconfig";

using Members = std::map<std::string, std::string>;

std::string kubeconfig_of(const ClusterInfo& info) {
    return "apiVersion: v1\n"
           "clusters:\n"
           "- cluster:\n"
           "    certificate-authority-data: " +
           base::base64_encode(info.root_certificates) +
           "\n"
           "    server: " +
           info.server +
           "\n"
           "  name: \"\"\n"
           "contexts: null\n"
           "current-context: \"\"\n"
           "kind: Config\n"
           "preferences: {}\n"
           "users: null\n";
}

std::string url_text(std::string_view bytes) {
    return base::base64_encode(bytes, base::Base64::url);
}

// A JSON Web Signature (RFC 7515) with HMAC-SHA256, its payload left out: whoever checks it has that already.
// Token ids need no escaping in JSON.
std::string signature_of(const std::string& payload, const std::string& id, const std::string& secret) {
    const std::string header = url_text(R"({"alg":"HS256","kid":")" + id + "\"}");
    const std::string text = header + "." + url_text(payload);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
         reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest, &size);
    return header + ".." + url_text({reinterpret_cast<const char*>(digest), size});
}

class ClusterInfoController final : public Controller {
  public:
    ClusterInfoController(const Surroundings& surroundings, const ClusterInfo& info)
        : surroundings_(surroundings),
          kubeconfig_(kubeconfig_of(info)),
          maps_(surroundings.informers.of(client::collections::config_maps)),
          namespaces_(surroundings.informers.of(client::collections::namespaces)),
          secrets_(surroundings.informers.metadata_of(client::collections::secrets)) {}

    [[nodiscard]] std::string_view name() const override { return "cluster-info"; }
    // There is one key.
    void watch(Queue& queue) override {
        const ObjectKey own{std::string(kNamespace), std::string(kName)};
        namespaces_.add_handler([own, &queue](const ObjectPointer&, const ObjectPointer& now) {
            if (now && now->key().name == kNamespace) queue.add(own);
        });
        maps_.add_handler([own, &queue](const ObjectPointer& before, const ObjectPointer& now) {
            if ((now ? now : before)->key() == own) queue.add(own);
        });
        secrets_.add_handler([own, &queue](const ObjectPointer& before, const ObjectPointer& now) {
            if (is_bootstrap_token_key((now ? now : before)->key())) queue.add(own);
        });
    }

    Task<Result<Again>> reconcile(ObjectKey key, Writer& writer) override {
        if (!namespaces_.get({"", std::string(kNamespace)})) co_return done();
        auto collecting = wanted_members();
        KEELSON_CO_TRY(const Members wanted, co_await collecting);
        const ObjectPointer present = maps_.get(key);
        if (present && is_as_wanted(ConfigMap(present->root()), wanted)) co_return done();
        Document document = present ? present->clone() : Document();
        if (!present) document.root = Value::map(document.arena);
        fill(document, wanted);
        auto writing = present ? writer.update(maps_.collection(), document.root)
                               : writer.create(maps_.collection(), document.root);
        const Writer::Object written = co_await writing;
        if (!written) co_return written.error();
        co_return done();
    }

  private:
    Task<Result<Members>> wanted_members() {
        Members members{{std::string(kKubeconfig), kubeconfig_}};
        for (const ObjectPointer& known : secrets_.list(bootstrap_token_namespace)) {
            if (!is_bootstrap_token_key(known->key())) continue;
            auto getting = surroundings_.client.get(
                client::collections::secrets.address(bootstrap_token_namespace, known->key().name));
            const client::Client::Object present = co_await getting;
            if (!present && present.error().code() == 404) continue;
            if (!present) co_return present.error();
            sign_with(Secret(present->root), members);
        }
        co_return members;
    }

    void sign_with(Secret secret, Members& members) const {
        const std::string id = token_datum(secret, "token-id");
        const bool may_sign = secret.type() == bootstrap_token_type && !id.empty() &&
                              "bootstrap-token-" + id == secret.metadata().name() &&
                              token_datum(secret, "usage-bootstrap-signing") == "true" &&
                              surroundings_.now() < end_of_token(secret);
        if (may_sign)
            members["jws-kubeconfig-" + id] =
                signature_of(kubeconfig_, id, token_datum(secret, "token-secret"));
    }

    static bool is_as_wanted(ConfigMap map, const Members& wanted) {
        if (map.data().size() != wanted.size()) return false;
        for (const auto& [name, text] : wanted)
            if (!map.data().has(name) || map.data()[name] != text) return false;
        return true;
    }

    static void fill(Document& document, const Members& wanted) {
        object::Arena& arena = document.arena;
        const ConfigMap map(document.root);
        map.make_metadata(arena).set_name(arena, kName);
        map.make_metadata(arena).set_namespace(arena, kNamespace);
        map.clear_data();
        for (const auto& [name, text] : wanted) map.make_data(arena).set(arena, name, text);
    }

    const Surroundings& surroundings_;
    std::string kubeconfig_;
    Informer& maps_;
    Informer& namespaces_;
    Informer& secrets_;
};

}  // namespace

std::unique_ptr<Controller> make_cluster_info_controller(const Surroundings& surroundings,
                                                         const ClusterInfo& info) {
    return std::make_unique<ClusterInfoController>(surroundings, info);
}

}  // namespace keelson::control
