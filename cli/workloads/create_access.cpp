// keelctl create role, clusterrole, rolebinding, clusterrolebinding, token
#include <unistd.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "cli/output.h"
#include "cli/workloads/command_groups.h"
#include "cli/workloads/generator.h"
#include "kernel/object/time_format.h"

namespace keelson::cli::kube {
namespace {

constexpr const char* kAccess = "rbac.authorization.k8s.io";
constexpr const char* kAccessVersion = "rbac.authorization.k8s.io/v1";

std::vector<std::string> without_doubles(const std::vector<std::string>& texts) {
    std::vector<std::string> unique;
    for (const std::string& text : texts)
        if (std::find(unique.begin(), unique.end(), text) == unique.end()) unique.push_back(text);
    return unique;
}

bool is_url_verb(const std::string& verb) {
    for (const char* known : {"*", "get", "post", "put", "delete", "patch", "head", "options"})
        if (verb == known) return true;
    return false;
}

class CreateRole : public NamedGenerator {
  public:
    explicit CreateRole(bool is_of_cluster) : is_of_cluster_(is_of_cluster) {}

  private:
    void add_own_flags(Flags& flags) override {
        flags.list("verb", verbs_, "What may be done, such as get,list,watch");
        flags.list("resource", resources_, "With which types, such as pods or deployments.apps");
        flags.array("resource-name", names_, "Only with the object of this name; may be given again");
        if (!is_of_cluster_) return;
        flags.list("non-resource-url", urls_, "With which path, such as /metrics");
        flags.text("aggregation-rule", aggregation_, "The rules of all cluster roles with these labels");
    }

    Result<Object> make_named(Session& session, const std::string& name) override {
        Object role = new_object(kAccessVersion, is_of_cluster_ ? "ClusterRole" : "Role", name);
        if (!aggregation_.empty()) return aggregated(std::move(role));
        verbs_ = without_doubles(verbs_);
        if (std::find(verbs_.begin(), verbs_.end(), "*") != verbs_.end()) verbs_ = {"*"};
        if (auto good = check(); !good) return pass_on(good);
        role["rules"] = Object::array();
        if (!resources_.empty()) {
            auto rules = resource_rules(session);
            if (!rules) return pass_on(rules);
            role["rules"] = std::move(*rules);
        }
        if (!urls_.empty())
            role["rules"].push_back({{"verbs", verbs_}, {"nonResourceURLs", without_doubles(urls_)}});
        return role;
    }

    Result<void> check() const {
        if (verbs_.empty()) return fail("at least one verb must be specified");
        if (resources_.empty() && urls_.empty())
            return fail(is_of_cluster_ ? "one of resource or nonResourceURL must be specified"
                                       : "at least one resource must be specified");
        if (urls_.empty()) return {};
        if (!names_.empty() && resources_.empty())
            return fail("resourceName can not be used with nonResourceURL");
        for (const std::string& verb : verbs_)
            if (!is_url_verb(verb)) return fail("invalid verb: '" + verb + "' for nonResourceURL");
        for (const std::string& url : urls_) {
            if (url == "*") continue;
            if (!url.starts_with('/')) return fail("nonResourceURL should start with /");
            const std::size_t star = url.find('*');
            if (star != std::string::npos && star + 1 != url.size())
                return fail("nonResourceURL only supports wildcard matches when '*' is at the end");
        }
        return {};
    }

    Result<Object> aggregated(Object role) const {
        if (!verbs_.empty() || !resources_.empty() || !urls_.empty() || !names_.empty())
            return fail("aggregation rule must be specified without other rules");
        const auto labels = read_pairs(aggregation_, "aggregation rule");
        if (!labels) return pass_on(labels);
        role["aggregationRule"] = {{"clusterRoleSelectors", {{{"matchLabels", *labels}}}}};
        role["rules"] = nullptr;
        return role;
    }

    // One rule for each API group.
    Result<Object> resource_rules(Session& session) const {
        std::vector<std::pair<std::string, std::vector<std::string>>> groups;
        for (const std::string& text : without_doubles(resources_)) {
            const std::size_t slash = text.find('/');
            const std::string type = text.substr(0, slash);
            std::string group, plural = type;
            if (type != "*") {
                const auto types = session.discovery();
                if (!types) return pass_on(types);
                const auto found = (*types)->find_type(type);
                if (!found) return pass_on(found);
                group = (*found)->group;
                plural = (*found)->plural;
            }
            if (slash != std::string::npos) plural += text.substr(slash);
            auto place = std::find_if(groups.begin(), groups.end(),
                                      [&](const auto& one) { return one.first == group; });
            if (place == groups.end()) place = groups.insert(groups.end(), {group, {}});
            if (std::find(place->second.begin(), place->second.end(), plural) == place->second.end())
                place->second.push_back(plural);
        }
        Object rules = Object::array();
        for (const auto& [group, resources] : groups) {
            Object rule{{"verbs", verbs_}, {"apiGroups", {group}}, {"resources", resources}};
            if (!names_.empty()) rule["resourceNames"] = without_doubles(names_);
            rules.push_back(rule);
        }
        return rules;
    }

    bool is_of_cluster_;
    std::vector<std::string> verbs_, resources_, names_, urls_;
    std::string aggregation_;
};

class CreateBinding : public NamedGenerator {
  public:
    explicit CreateBinding(bool is_of_cluster) : is_of_cluster_(is_of_cluster) {}

  private:
    void add_own_flags(Flags& flags) override {
        flags.text("clusterrole", cluster_role_, "The ClusterRole that is bound");
        if (!is_of_cluster_) flags.text("role", role_, "The Role that is bound");
        flags.array("user", users_, "Users that get the role");
        flags.array("group", groups_, "Groups that get the role");
        flags.array("serviceaccount", accounts_, "Service accounts that get the role: NAMESPACE:NAME");
    }

    Result<Object> make_named(Session&, const std::string& name) override {
        if (is_of_cluster_ && cluster_role_.empty()) return fail("required flag(s) \"clusterrole\" not set");
        if (cluster_role_.empty() == role_.empty())
            return fail("exactly one of clusterrole or role must be specified");
        Object binding =
            new_object(kAccessVersion, is_of_cluster_ ? "ClusterRoleBinding" : "RoleBinding", name);
        binding["roleRef"] = {{"apiGroup", kAccess},
                              {"kind", cluster_role_.empty() ? "Role" : "ClusterRole"},
                              {"name", cluster_role_.empty() ? role_ : cluster_role_}};
        Object& subjects = binding["subjects"];
        for (const std::string& user : users_)
            subjects.push_back({{"apiGroup", kAccess}, {"kind", "User"}, {"name", user}});
        for (const std::string& group : groups_)
            subjects.push_back({{"apiGroup", kAccess}, {"kind", "Group"}, {"name", group}});
        for (const std::string& account : accounts_) {
            const auto parts = split_text(account, ':');
            if (parts.size() != 2 || parts[0].empty() || parts[1].empty())
                return fail("serviceaccount must be <namespace>:<name>");
            subjects.push_back({{"kind", "ServiceAccount"}, {"name", parts[1]}, {"namespace", parts[0]}});
        }
        if (subjects.is_null()) binding.erase("subjects");
        return binding;
    }

    bool is_of_cluster_;
    std::string cluster_role_, role_;
    std::vector<std::string> users_, groups_, accounts_;
};

class CreateToken final : public Command {
  public:
    void add_flags(Flags& flags) override {
        add_print_flags(flags, print_);
        flags.array("audience", audiences_, "For whom the token is");
        flags.duration("duration", duration_, "How long the token shall be good");
        flags.text("bound-object-kind", bound_kind_,
                   "The token ends with an object of this kind: Pod, Secret or Node");
        flags.text("bound-object-name", bound_name_, "That object's name");
        flags.text("bound-object-uid", bound_uid_, "That object's uid");
    }

    Result<void> run(Session& session, const Words& words) override {
        if (words.words.size() != 1)
            return misused("exactly one NAME is required, got " + std::to_string(words.words.size()));
        if (duration_ < 0) return fail("--duration must be greater than or equal to 0");
        if (auto good = check_bound_object(); !good) return good;
        const auto space = session.namespace_name();
        if (!space) return pass_on(space);
        const auto api = session.api();
        if (!api) return pass_on(api);
        auto answer =
            (*api)->ask({.method = "POST",
                         .path = "/api/v1/namespaces/" + encode_segment(*space) + "/serviceaccounts/" +
                                 encode_segment(words.words.front()) + "/token",
                         .body = compact(request())});
        if (!answer)
            return fail("failed to create token: " +
                        (answer.error().refusal ? answer.error().refusal->message : answer.error().message));
        if (!print_.is_for_people()) return print_objects(print_, {std::move(*answer)}, true);
        print(text_at(member(*answer, "status"), "token"));
        // Programs get the token alone.
        if (::isatty(STDOUT_FILENO) == 1) print("\n");
        return {};
    }

  private:
    Result<void> check_bound_object() const {
        if (bound_kind_.empty()) {
            if (!bound_name_.empty())
                return fail("--bound-object-name can only be set if --bound-object-kind is provided");
            if (!bound_uid_.empty())
                return fail("--bound-object-uid can only be set if --bound-object-kind is provided");
            return {};
        }
        if (bound_kind_ != "Node" && bound_kind_ != "Pod" && bound_kind_ != "Secret")
            return fail("supported --bound-object-kind values are Node, Pod, Secret");
        if (bound_name_.empty())
            return fail("--bound-object-name is required if --bound-object-kind is provided");
        return {};
    }

    Object request() const {
        constexpr std::int64_t kSecond = 1'000'000'000;
        Object spec = Object::object();
        spec["audiences"] = audiences_;
        if (duration_ > 0) spec["expirationSeconds"] = duration_ / kSecond;
        if (!bound_kind_.empty()) {
            spec["boundObjectRef"] = {{"kind", bound_kind_}, {"apiVersion", "v1"}, {"name", bound_name_}};
            if (!bound_uid_.empty()) spec["boundObjectRef"]["uid"] = bound_uid_;
        }
        return {{"apiVersion", "authentication.k8s.io/v1"}, {"kind", "TokenRequest"}, {"spec", spec}};
    }

    PrintFlags print_;
    std::vector<std::string> audiences_;
    std::int64_t duration_ = 0;
    std::string bound_kind_, bound_name_, bound_uid_;
};

}  // namespace

void add_create_access(Registry& registry) {
    constexpr const char* kRole =
        "NAME --verb=verb --resource=resource.group/subresource [--resource-name=resourcename] [options]";
    constexpr const char* kBinding =
        "NAME --clusterrole=NAME [--user=username] [--group=groupname] "
        "[--serviceaccount=namespace:serviceaccountname] [options]";
    for (const bool of_cluster : {false, true}) {
        const std::string kind = of_cluster ? "clusterrole" : "role";
        registry.add({"create " + kind, "", kRole,
                      of_cluster ? "What may be done everywhere" : "What may be done in one namespace", "",
                      [of_cluster] { return std::make_unique<CreateRole>(of_cluster); }});
        registry.add({"create " + kind + "binding", "", kBinding,
                      of_cluster ? "Give a cluster role to users, everywhere"
                                 : "Give a role to users, in one namespace",
                      "", [of_cluster] { return std::make_unique<CreateBinding>(of_cluster); }});
    }
    registry.add<CreateToken>("create token", "", "SERVICE_ACCOUNT_NAME [options]",
                              "Print a token for a service account",
                              "  keelctl create token builder --duration 10m");
}

}  // namespace keelson::cli::kube
