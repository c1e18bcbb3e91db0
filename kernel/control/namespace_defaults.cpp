#include "kernel/control/namespace_defaults.h"

#include "kernel/object/accessors/core_v1.h"
#include "kernel/object/accessors/meta_v1.h"

namespace keelson::control {
namespace {

using api_types::core_v1::ConfigMap;
using api_types::core_v1::Namespace;
using api_types::core_v1::ServiceAccount;
using base::Result;
using base::Task;
using object::Document;
using object::Value;

constexpr std::string_view kAccountName = "default";
constexpr std::string_view kCertificatesName = "kube-root-ca.crt";
constexpr std::string_view kCertificatesMember = "ca.crt";
constexpr std::string_view kDescriptionAnnotation = "kubernetes.io/description";
constexpr std::string_view kDescription =
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such "
    "as the "
    "internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of "
    "Kubernetes "
    "clusters.";

// An object that each namespace is to have; keys are namespaces.
class NamespaceDefault : public Controller {
  public:
    NamespaceDefault(const Surroundings& surroundings, const Collection& collection, std::string_view name)
        : surroundings_(surroundings),
          namespaces_(surroundings.informers.of(client::collections::namespaces)),
          objects_(surroundings.informers.of(collection)),
          object_name_(name) {}

    void watch(Queue& queue) override {
        namespaces_.add_handler([&queue](const ObjectPointer&, const ObjectPointer& now) {
            if (now) queue.add(now->key());
        });
        objects_.add_handler([this, &queue](const ObjectPointer& before, const ObjectPointer& now) {
            const ObjectKey& key = now ? now->key() : before->key();
            if (key.name == object_name_) queue.add({"", key.namespace_name});
        });
    }

    Task<Result<Again>> reconcile(ObjectKey key, Writer& writer) override {
        const ObjectPointer owner = namespaces_.get(key);
        if (!owner || Namespace(owner->root()).status().phase() != "Active" || owner->is_being_deleted())
            co_return done();
        const ObjectPointer present = objects_.get({key.name, std::string(object_name_)});
        if (present && is_as_wanted(*present)) co_return done();
        Document document = present ? present->clone() : Document();
        if (!present) document.root = Value::map(document.arena);
        fill(document, key.name);
        auto writing = present ? writer.update(objects_.collection(), document.root)
                               : writer.create(objects_.collection(), document.root);
        const Writer::Object written = co_await writing;
        // There already, or the namespace goes meanwhile.
        const bool is_moot = !written && (written.error().code() == 409 || written.error().code() == 403 ||
                                          written.error().code() == 404);
        if (!written && !is_moot) co_return written.error();
        co_return done();
    }

  protected:
    virtual bool is_as_wanted(const client::CachedObject& present) const = 0;
    virtual void fill(Document& document, const std::string& namespace_name) const = 0;

  private:
    const Surroundings& surroundings_;
    Informer& namespaces_;
    Informer& objects_;
    std::string_view object_name_;
};

class ServiceAccountController final : public NamespaceDefault {
  public:
    explicit ServiceAccountController(const Surroundings& surroundings)
        : NamespaceDefault(surroundings, client::collections::service_accounts, kAccountName) {}
    [[nodiscard]] std::string_view name() const override { return "serviceaccount"; }

  private:
    bool is_as_wanted(const client::CachedObject&) const override { return true; }
    void fill(Document& document, const std::string& namespace_name) const override {
        const auto metadata = ServiceAccount(document.root).make_metadata(document.arena);
        metadata.set_name(document.arena, kAccountName);
        metadata.set_namespace(document.arena, namespace_name);
    }
};

class RootCertificateController final : public NamespaceDefault {
  public:
    RootCertificateController(const Surroundings& surroundings, std::string certificates)
        : NamespaceDefault(surroundings, client::collections::config_maps, kCertificatesName),
          certificates_(std::move(certificates)) {}
    [[nodiscard]] std::string_view name() const override { return "root-ca-cert-publisher"; }

  private:
    bool is_as_wanted(const client::CachedObject& present) const override {
        const ConfigMap map(present.root());
        return map.data().size() == 1 && map.data()[kCertificatesMember] == certificates_ &&
               map.metadata().annotations().has(kDescriptionAnnotation);
    }
    void fill(Document& document, const std::string& namespace_name) const override {
        object::Arena& arena = document.arena;
        const ConfigMap map(document.root);
        const auto metadata = map.make_metadata(arena);
        metadata.set_name(arena, kCertificatesName);
        metadata.set_namespace(arena, namespace_name);
        metadata.make_annotations(arena).set(arena, kDescriptionAnnotation, kDescription);
        map.clear_data();
        map.make_data(arena).set(arena, kCertificatesMember, certificates_);
    }

    std::string certificates_;
};

}  // namespace

std::unique_ptr<Controller> make_service_account_controller(const Surroundings& surroundings) {
    return std::make_unique<ServiceAccountController>(surroundings);
}

std::unique_ptr<Controller> make_root_certificate_controller(const Surroundings& surroundings,
                                                             std::string certificates) {
    return std::make_unique<RootCertificateController>(surroundings, std::move(certificates));
}

}  // namespace keelson::control
