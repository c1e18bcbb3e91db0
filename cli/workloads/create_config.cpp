// keelctl create namespace, configmap, secret, serviceaccount, quota, priorityclass, poddisruptionbudget

#include <nlohmann/json.hpp>

#include "cli/workloads/command_groups.h"
#include "cli/workloads/generator.h"
#include "cli/workloads/key_values.h"
#include "cli/workloads/label_selector.h"
#include "cli/workloads/name_hash.h"
#include "kernel/base/base64.h"
#include "kernel/base/openssl.h"

namespace keelson::cli::kube {
namespace {

class CreateNamespace final : public NamedGenerator {
    void add_own_flags(Flags&) override {}
    Result<Object> make_named(Session&, const std::string& name) override {
        Object space = new_object("v1", "Namespace", name);
        space["spec"] = space["status"] = Object::object();
        return space;
    }
};

class CreateServiceAccount final : public NamedGenerator {
    void add_own_flags(Flags&) override {}
    Result<Object> make_named(Session&, const std::string& name) override {
        return new_object("v1", "ServiceAccount", name);
    }
};

void add_hash_flag(Flags& flags, bool& appends_hash) {
    flags.flag("append-hash", appends_hash, "Names end in a hash of what is in the object");
}

class CreateConfigMap final : public NamedGenerator {
    void add_own_flags(Flags& flags) override {
        add_data_flags(flags, sources_);
        add_hash_flag(flags, appends_hash_);
    }
    Result<Object> make_named(Session&, const std::string& name) override {
        const auto data = read_data(sources_, "ConfigMap \"" + name + "\"");
        if (!data) return pass_on(data);
        Object map = new_object("v1", "ConfigMap", name);
        for (const auto& [key, value] : *data) {
            if (is_utf8(value))
                map["data"][key] = value;
            else
                map["binaryData"][key] = base::base64_encode(value);
        }
        if (appends_hash_) append_hash(map);
        return map;
    }
    DataSources sources_;
    bool appends_hash_ = false;
};

// What the kinds of secrets share.
class SecretGenerator : public NamedGenerator {
  protected:
    void add_own_flags(Flags& flags) final {
        add_hash_flag(flags, appends_hash_);
        add_secret_flags(flags);
    }
    virtual void add_secret_flags(Flags& flags) = 0;

    [[nodiscard]] Object secret_of(const std::string& name, const std::string& type,
                                   const std::map<std::string, std::string>& data) const {
        Object secret = new_object("v1", "Secret", name);
        if (!type.empty()) secret["type"] = type;
        for (const auto& [key, value] : data) secret["data"][key] = base::base64_encode(value);
        if (appends_hash_) append_hash(secret);
        return secret;
    }

  private:
    bool appends_hash_ = false;
};

class CreateSecret final : public SecretGenerator {
    void add_secret_flags(Flags& flags) override {
        add_data_flags(flags, sources_);
        flags.text("type", type_, "The secret's type");
    }
    Result<Object> make_named(Session&, const std::string& name) override {
        const auto data = read_data(sources_, "Secret \"" + name + "\"");
        if (!data) return pass_on(data);
        return secret_of(name, type_, *data);
    }
    DataSources sources_;
    std::string type_;
};

Result<void> check_pair(const std::string& certificate, const std::string& key) {
    const auto parsed = base::parse_certificate(certificate);
    if (!parsed) return fail("tls: failed to find any PEM data in certificate input");
    const auto secret = base::parse_private_key(key);
    if (!secret) return fail("tls: failed to find any PEM data in key input");
    if (X509_check_private_key(parsed.get(), secret.get()) != 1)
        return fail("tls: private key does not match public key");
    return {};
}

class CreateTlsSecret final : public SecretGenerator {
    void add_secret_flags(Flags& flags) override {
        flags.text("cert", certificate_, "A file with the certificate, PEM");
        flags.text("key", key_, "A file with its key, PEM");
    }
    Result<Object> make_named(Session&, const std::string& name) override {
        if (certificate_.empty() || key_.empty()) return fail("key and cert must be specified");
        const auto certificate = read_whole_file(certificate_);
        if (!certificate) return pass_on(certificate);
        const auto key = read_whole_file(key_);
        if (!key) return pass_on(key);
        if (auto good = check_pair(*certificate, *key); !good) return pass_on(good);
        return secret_of(name, "kubernetes.io/tls", {{"tls.crt", *certificate}, {"tls.key", *key}});
    }
    std::string certificate_, key_;
};

class CreateRegistrySecret final : public SecretGenerator {
    void add_secret_flags(Flags& flags) override {
        flags.text("docker-server", server_, "The registry's address");
        flags.text("docker-username", user_, "The user at the registry");
        flags.text("docker-password", password_, "The user's password");
        flags.text("docker-email", email_, "The user's mail address");
        flags.array("from-file", files_, "A file that holds a Docker configuration");
    }
    Result<Object> make_named(Session&, const std::string& name) override {
        constexpr const char* kKey = ".dockerconfigjson";
        constexpr const char* kType = "kubernetes.io/dockerconfigjson";
        if (!files_.empty()) {
            std::vector<std::string> files;
            for (const std::string& file : files_)
                files.push_back(file.find('=') == std::string::npos ? std::string(kKey) + "=" + file : file);
            const auto data = read_data({files, {}, {}}, "Secret \"" + name + "\"");
            if (!data) return pass_on(data);
            return secret_of(name, kType, *data);
        }
        if (user_.empty() || password_.empty() || server_.empty())
            return fail(
                "either --from-file or the combination of --docker-username, --docker-password and "
                "--docker-server is required");
        // The order of the members is that which other clients write.
        nlohmann::ordered_json entry{{"username", user_}, {"password", password_}};
        if (!email_.empty()) entry["email"] = email_;
        entry["auth"] = base::base64_encode(user_ + ":" + password_);
        const nlohmann::ordered_json all{{"auths", {{server_, entry}}}};
        return secret_of(name, kType, {{kKey, all.dump()}});
    }
    std::string server_ = "https://index.docker.io/v1/";
    std::string user_, password_, email_;
    std::vector<std::string> files_;
};

class CreateQuota final : public NamedGenerator {
    void add_own_flags(Flags& flags) override {
        flags.text("hard", hard_, "How much there may be, such as pods=10,requests.cpu=4");
        flags.text("scopes", scopes_, "Only objects in all of these scopes count");
    }
    Result<Object> make_named(Session&, const std::string& name) override {
        Object quota = new_object("v1", "ResourceQuota", name);
        const auto hard = read_pairs(hard_, "resource quantity");
        if (!hard) return pass_on(hard);
        quota["spec"] = Object::object();
        if (!hard->empty()) quota["spec"]["hard"] = *hard;
        if (!scopes_.empty()) quota["spec"]["scopes"] = split_text(scopes_, ',');
        quota["status"] = Object::object();
        return quota;
    }
    std::string hard_, scopes_;
};

class CreatePriorityClass final : public NamedGenerator {
    void add_own_flags(Flags& flags) override {
        flags.number("value", value_, "How urgent its pods are: more is more");
        flags.flag("global-default", is_default_, "For pods that name no class");
        flags.text("description", description_, "What it is for");
        flags.text("preemption-policy", policy_,
                   "Whether its pods push others out: PreemptLowerPriority or Never");
    }
    Result<Object> make_named(Session&, const std::string& name) override {
        Object type = new_object("scheduling.k8s.io/v1", "PriorityClass", name);
        type["value"] = value_;
        type["preemptionPolicy"] = policy_;
        if (is_default_) type["globalDefault"] = true;
        if (!description_.empty()) type["description"] = description_;
        return type;
    }
    std::int64_t value_ = 0;
    bool is_default_ = false;
    std::string description_;
    std::string policy_ = "PreemptLowerPriority";
};

class CreateDisruptionBudget final : public NamedGenerator {
    void add_own_flags(Flags& flags) override {
        flags.text("selector", selector_, "The pods with these labels");
        flags.text("min-available", least_, "So many must stay, such as 2 or 50%");
        flags.text("max-unavailable", most_, "So many may be missing, such as 1 or 10%");
    }
    Result<Object> make_named(Session&, const std::string& name) override {
        if (selector_.empty()) return fail("a selector must be specified");
        if (least_.empty() && most_.empty())
            return fail("one of min-available or max-unavailable must be specified");
        if (!least_.empty() && !most_.empty())
            return fail("min-available and max-unavailable cannot be both specified");
        const auto selector = parse_label_selector(selector_);
        if (!selector) return pass_on(selector);
        Object budget = new_object("policy/v1", "PodDisruptionBudget", name);
        budget["spec"] = {{"selector", *selector}};
        if (!least_.empty()) budget["spec"]["minAvailable"] = number_or_text(least_);
        if (!most_.empty()) budget["spec"]["maxUnavailable"] = number_or_text(most_);
        budget["status"] = {
            {"currentHealthy", 0}, {"desiredHealthy", 0}, {"disruptionsAllowed", 0}, {"expectedPods", 0}};
        return budget;
    }
    std::string selector_, least_, most_;
};

}  // namespace

void add_create_config(Registry& registry) {
    registry.add<CreateNamespace>("create namespace", "", "NAME [options]", "A namespace");
    registry.add_alias("create ns", "create namespace");
    registry.add<CreateServiceAccount>("create serviceaccount", "", "NAME [options]", "An account for pods");
    registry.add_alias("create sa", "create serviceaccount");
    registry.add<CreateConfigMap>(
        "create configmap", "", "NAME [--from-file=[key=]source] [--from-literal=key1=value1] [options]",
        "A config map of files and values",
        "  keelctl create configmap settings --from-literal=a=b --from-file=nginx.conf");
    registry.add_alias("create cm", "create configmap");
    registry.add({"create secret", "", "(docker-registry | generic | tls) [options]", "A secret", "", {}});
    registry.add<CreateSecret>("create secret generic", "",
                               "NAME [--type=string] [--from-literal=key1=value1] [options]",
                               "Of files and values");
    registry.add<CreateTlsSecret>("create secret tls", "",
                                  "NAME --cert=path/to/cert/file --key=path/to/key/file [options]",
                                  "Of a certificate and its key");
    registry.add<CreateRegistrySecret>("create secret docker-registry", "",
                                       "NAME --docker-username=user --docker-password=password [options]",
                                       "To get images with from a registry");
    registry.add<CreateQuota>("create quota", "",
                              "NAME [--hard=key1=value1,key2=value2] [--scopes=Scope1,Scope2] [options]",
                              "Limits for a namespace");
    registry.add_alias("create resourcequota", "create quota");
    registry.add<CreatePriorityClass>("create priorityclass", "",
                                      "NAME --value=VALUE [--global-default=BOOL] [options]",
                                      "A priority that pods can name");
    registry.add_alias("create pc", "create priorityclass");
    registry.add<CreateDisruptionBudget>("create poddisruptionbudget", "",
                                         "NAME --selector=SELECTOR --min-available=N [options]",
                                         "How many pods must stay when nodes are emptied");
    registry.add_alias("create pdb", "create poddisruptionbudget");
}

}  // namespace keelson::cli::kube
