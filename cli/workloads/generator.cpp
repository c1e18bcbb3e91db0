#include "cli/workloads/generator.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <random>

namespace keelson::cli::kube {
namespace {

const std::vector<Resource>& known_resources() {
    static const std::vector<Resource> all = {
        {"", "v1", "configmaps", "configmap", "ConfigMap", true},
        {"", "v1", "namespaces", "namespace", "Namespace", false},
        {"", "v1", "pods", "pod", "Pod", true},
        {"", "v1", "resourcequotas", "resourcequota", "ResourceQuota", true},
        {"", "v1", "secrets", "secret", "Secret", true},
        {"", "v1", "serviceaccounts", "serviceaccount", "ServiceAccount", true},
        {"", "v1", "services", "service", "Service", true},
        {"apps", "v1", "deployments", "deployment", "Deployment", true},
        {"autoscaling", "v1", "horizontalpodautoscalers", "horizontalpodautoscaler",
         "HorizontalPodAutoscaler", true},
        {"batch", "v1", "cronjobs", "cronjob", "CronJob", true},
        {"batch", "v1", "jobs", "job", "Job", true},
        {"networking.k8s.io", "v1", "ingresses", "ingress", "Ingress", true},
        {"policy", "v1", "poddisruptionbudgets", "poddisruptionbudget", "PodDisruptionBudget", true},
        {"rbac.authorization.k8s.io", "v1", "clusterrolebindings", "clusterrolebinding", "ClusterRoleBinding",
         false},
        {"rbac.authorization.k8s.io", "v1", "clusterroles", "clusterrole", "ClusterRole", false},
        {"rbac.authorization.k8s.io", "v1", "rolebindings", "rolebinding", "RoleBinding", true},
        {"rbac.authorization.k8s.io", "v1", "roles", "role", "Role", true},
        {"scheduling.k8s.io", "v1", "priorityclasses", "priorityclass", "PriorityClass", false},
    };
    return all;
}

// What could not be made, as scripts know it; empty for kinds of which only the server's words are told.
std::string kind_for_failure(const Object& object) {
    const std::string kind = text_at(object, "kind");
    if (kind == "Secret") return "secret ";
    if (kind == "ResourceQuota") return "quota: ";
    if (kind == "PodDisruptionBudget") return "poddisruptionbudgets: ";
    if (kind == "Service") return text_at(member(object, "spec"), "type") + " service: ";
    for (const char* known : {"ConfigMap", "Job", "CronJob", "Deployment", "ServiceAccount", "RoleBinding",
                              "ClusterRoleBinding", "Ingress", "PriorityClass"})
        if (kind == known) return lower_case(kind) + ": ";
    return {};
}

std::string random_suffix() {
    constexpr std::string_view kLetters = "bcdfghjklmnpqrstvwxz2456789";
    constexpr int kSize = 5;
    std::random_device random;
    std::string suffix;
    for (int i = 0; i < kSize; ++i) suffix += kLetters[random() % kLetters.size()];
    return suffix;
}

}  // namespace

void Generator::add_flags(Flags& flags) {
    add_write_flags(flags, write_, "keelctl-" + std::string("create"));
    add_validate_flag(flags, write_);
    add_print_flags(flags, print_);
    flags.flag("save-config", saves_config_, "Keep what was given in an annotation, for kubectl apply");
    add_own_flags(flags);
}

Result<void> Generator::run(Session& session, const Words& words) {
    auto object = make(session, words);
    if (!object) return pass_on(object);
    if (saves_config_) save_last_applied(*object);
    const std::string what = kind_for_failure(*object);
    auto created = create_and_tell(session, std::move(*object), write_, print_, done());
    if (created || !created.error().refusal || what.empty()) return created;
    return fail("failed to create " + what + created.error().refusal->message);
}

Result<Object> NamedGenerator::make(Session& session, const Words& words) {
    if (words.words.size() == 1) return make_named(session, words.words.front());
    return misused("exactly one NAME is required, got " + std::to_string(words.words.size()));
}

Result<void> Generator::require(std::initializer_list<std::string_view> names) const {
    std::string missing;
    for (const std::string_view name : names)
        if (!is_given(name)) missing += (missing.empty() ? "\"" : ", \"") + std::string(name) + "\"";
    if (missing.empty()) return {};
    return fail("required flag(s) " + missing + " not set");
}

Object new_object(const std::string& api_version, const std::string& kind, const std::string& name) {
    return {{"apiVersion", api_version},
            {"kind", kind},
            {"metadata", {{"name", name}, {"creationTimestamp", nullptr}}}};
}

const Resource& resource_of(const Object& object) {
    const std::string kind = text_at(object, "kind");
    const auto& all = known_resources();
    return *std::find_if(all.begin(), all.end(), [&kind](const Resource& one) { return one.kind == kind; });
}

Result<void> create_and_tell(Session& session, Object object, const WriteFlags& write,
                             const PrintFlags& print, const std::string& done) {
    const auto query = write_query(write);
    if (!query) return pass_on(query);
    const auto dry_run = write.dry_run.read();
    if (!dry_run) return pass_on(dry_run);
    if (auto good = check_format(print); !good) return good;
    Item item{.resource = &resource_of(object), .name = name_of(object)};
    if (item.resource->is_namespaced) {
        if (session.is_namespace_given()) object["metadata"]["namespace"] = session.globals().namespace_name;
        if (*dry_run != DryRun::client) {
            const auto space = session.namespace_name();
            if (!space) return pass_on(space);
            item.namespace_name = *space;
        }
    }
    item.object = std::move(object);
    if (*dry_run != DryRun::client) {
        const auto api = session.api();
        if (!api) return pass_on(api);
        if (auto created = create_item(**api, item, *query); !created) return created;
    }
    return print_change(print, item, with_dry_run(done, *dry_run));
}

std::vector<std::string> split_text(std::string_view text, char separator) {
    std::vector<std::string> parts;
    while (true) {
        const std::size_t end = std::min(text.find(separator), text.size());
        parts.emplace_back(text.substr(0, end));
        if (end == text.size()) return parts;
        text.remove_prefix(end + 1);
    }
}

Result<Object> read_pairs(const std::string& text, const std::string& what) {
    Object pairs = Object::object();
    if (text.empty()) return pairs;
    const std::string unexpected = "unexpected " + what + ": ";
    for (const std::string& pair : split_text(text, ',')) {
        const std::size_t equals = pair.find('=');
        if (equals == std::string::npos || equals == 0) return fail(unexpected + pair);
        pairs[pair.substr(0, equals)] = pair.substr(equals + 1);
    }
    return pairs;
}

Object number_or_text(const std::string& text) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc() && end == text.data() + text.size() && !text.empty()) return number;
    return text;
}

std::string container_name_of(const std::string& image) {
    std::string name = image.substr(image.rfind('/') + 1);
    name = name.substr(0, name.find(':'));
    name = name.substr(0, name.find('@'));
    const bool is_plain = name.find_first_of("_.") == std::string::npos;
    for (char& letter : name)
        if (letter == '_' || letter == '.') letter = '-';
    return is_plain ? name : name + "-" + random_suffix();
}

}  // namespace keelson::cli::kube
