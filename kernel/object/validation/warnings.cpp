#include <algorithm>
#include <set>

#include "kernel/object/addresses.h"
#include "kernel/object/validation/parts.h"
#include "kernel/object/validation/validation.h"

namespace keelson::object {

namespace validation {

namespace {

using Warnings = std::vector<std::string>;

std::string at(const FieldPath& path) {
    return path.to_string();
}

struct DeprecatedLabel {
    std::string_view name;
    std::string_view text;
};

// Labels of nodes that selectors should no longer use.
constexpr DeprecatedLabel kNodeLabels[] = {
    {"beta.kubernetes.io/arch", "deprecated since v1.14; use \"kubernetes.io/arch\" instead"},
    {"beta.kubernetes.io/os", "deprecated since v1.14; use \"kubernetes.io/os\" instead"},
    {"failure-domain.beta.kubernetes.io/region",
     "deprecated since v1.17; use \"topology.kubernetes.io/region\" instead"},
    {"failure-domain.beta.kubernetes.io/zone",
     "deprecated since v1.17; use \"topology.kubernetes.io/zone\" instead"},
    {"beta.kubernetes.io/instance-type",
     "deprecated since v1.17; use \"node.kubernetes.io/instance-type\" instead"},
};

std::string_view deprecated_label(std::string_view name) {
    auto found = std::ranges::find(kNodeLabels, name, &DeprecatedLabel::name);
    return found != std::end(kNodeLabels) ? found->text : std::string_view();
}

void warn_node_selector_term(Warnings& out, const FieldPath& path, Value term) {
    each(term, "matchExpressions", path, [&](Value expression, const FieldPath& expression_path) {
        std::string_view key = expression["key"].as_string();
        if (std::string_view text = deprecated_label(key); !text.empty())
            out.push_back(at(expression_path.child("key")) + ": " + std::string(key) + " is " +
                          std::string(text));
    });
}

void warn_ip(Warnings& out, const FieldPath& path, std::string_view text) {
    auto address = IpAddress::parse(text);
    if (!address) return;
    bool mapped = address->written_as_ipv6 && address->is_ipv4();
    std::string canonical = address->to_string();
    if (address->has_leading_zeros || mapped)
        out.push_back(at(path) + ": non-standard IP address " + go_quoted(text) +
                      " will be considered invalid in a future Kubernetes release: use " +
                      go_quoted(canonical));
    else if (address->written_as_ipv6 && canonical != text)
        out.push_back(at(path) + ": IPv6 address " + go_quoted(text) +
                      " should be in RFC 5952 canonical format (" + go_quoted(canonical) + ")");
}

void warn_duplicate_environment(Warnings& out, const FieldPath& path, Value container) {
    // Hides an earlier value of the same name, unless it refers to it.
    Value variables = container["env"];
    for (std::size_t i = 0; i < variables.size(); ++i) {
        std::string_view name = variables.at(i)["name"].as_string();
        for (std::size_t j = i; j-- > 0;) {
            if (variables.at(j)["name"].as_string() != name) continue;
            std::string reference = "$(" + std::string(name) + ")";
            bool refers = variables.at(i)["value"].as_string().find(reference) != std::string_view::npos;
            if (!refers)
                out.push_back(at(path.item("env", i)) + ": hides previous definition of " + go_quoted(name) +
                              ", which may be dropped when using apply");
            break;
        }
    }
}

void warn_resources(Warnings& out, const FieldPath& path, Value container) {
    for (std::string_view which : {"limits", "requests"})
        for (std::string_view name : {"memory", "ephemeral-storage"}) {
            Value amount = container.path({"resources", which, name});
            if (amount.is_unset()) continue;
            Quantity quantity = quantity_of(amount);
            if (quantity.milli_value() % 1000 != 0) {
                const FieldPath list =
                    path.child(which == "limits" ? "resources.limits" : "resources.requests");
                out.push_back(at(list.key(name)) + ": fractional byte value " +
                              go_quoted(amount.as_string()) + " is invalid, must be an integer");
            }
        }
}

void warn_volume(Warnings& out, const FieldPath& path, Value volume) {
    struct Retired {
        std::string_view kind;
        std::string_view text;
    };
    constexpr Retired kRetired[] = {
        {"photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"},
        {"gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"},
        {"scaleIO", "deprecated in v1.16, non-functional in v1.22+"},
        {"flocker", "deprecated in v1.22, non-functional in v1.25+"},
        {"storageos", "deprecated in v1.22, non-functional in v1.25+"},
        {"quobyte", "deprecated in v1.22, non-functional in v1.25+"},
        {"glusterfs", "deprecated in v1.25, non-functional in v1.26+"},
        {"cephfs", "deprecated in v1.28, non-functional in v1.31+"},
        {"rbd", "deprecated in v1.28, non-functional in v1.31+"},
    };
    for (const Retired& retired : kRetired)
        if (volume[retired.kind].is_map())
            out.push_back(at(path.child(retired.kind)) + ": " + std::string(retired.text));
    if (Value ephemeral = volume["ephemeral"]; ephemeral.is_map())
        if (ephemeral.path({"volumeClaimTemplate", "metadata", "annotations"})
                .has("volume.beta.kubernetes.io/storage-class"))
            out.push_back(at(path.child("ephemeral.volumeClaimTemplate.metadata.annotations[volume.beta."
                                        "kubernetes.io/storage-class]")) +
                          ": deprecated since v1.8; use \"storageClassName\" attribute instead");
}

void warn_volume_items(Warnings& out, Value volume) {
    std::string name = volume["name"].to_string();
    Value projected = volume["projected"];
    if (!projected.is_map()) return;
    auto is_empty = [](Value source) {
        auto members = source.members();
        return std::none_of(members.begin(), members.end(),
                            [](const Member& member) { return member.value.is_map(); });
    };
    auto sources = projected["sources"].items();
    if (sources.empty() || std::any_of(sources.begin(), sources.end(), is_empty))
        out.push_back("volume " + go_quoted(name) + " (Projected) has no sources provided");
}

void warn_duplicate_ports(Warnings& out, const FieldPath& path, Value container) {
    Value ports = container["ports"];
    for (std::size_t i = 0; i < ports.size(); ++i)
        for (std::size_t j = 0; j < i; ++j) {
            bool equal = true;
            for (std::string_view name : {"containerPort", "protocol", "hostIP", "hostPort"})
                equal = equal && same(ports.at(i)[name], ports.at(j)[name]);
            if (!equal) continue;
            out.push_back(at(path.item("ports", i)) + ": duplicate port definition with " +
                          at(path.item("ports", j)));
            break;
        }
}

void warn_affinity(Warnings& out, const FieldPath& path, Value affinity) {
    const FieldPath node = path.child("nodeAffinity");
    const FieldPath required = node.child("requiredDuringSchedulingIgnoredDuringExecution");
    each(affinity.path({"nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"}),
         "nodeSelectorTerms", required,
         [&](Value term, const FieldPath& term_path) { warn_node_selector_term(out, term_path, term); });
    each(affinity["nodeAffinity"], "preferredDuringSchedulingIgnoredDuringExecution", node,
         [&](Value term, const FieldPath& term_path) {
             warn_node_selector_term(out, term_path.child("preference"), term["preference"]);
         });
}

void warn_pod_spec(Warnings& out, const FieldPath& path, Value spec, Value metadata, Value old_spec) {
    for (const Member& member : spec["nodeSelector"].members())
        if (std::string_view text = deprecated_label(member.name); !text.empty())
            out.push_back(at(path.entry("nodeSelector", member.name)) + ": " + std::string(text));
    warn_affinity(out, path.child("affinity"), spec["affinity"]);
    each(spec, "topologySpreadConstraints", path, [&](Value constraint, const FieldPath& constraint_path) {
        std::string_view key = constraint["topologyKey"].as_string();
        if (std::string_view text = deprecated_label(key); !text.empty())
            out.push_back(at(constraint_path) + ".topologyKey: " + std::string(key) + " is " +
                          std::string(text));
    });
    each(spec, "hostAliases", path, [&](Value alias, const FieldPath& alias_path) {
        std::string_view address = alias["ip"].as_string();
        Value aliases = spec["hostAliases"];
        std::size_t first = aliases.size();
        for (std::size_t i = aliases.size(); i-- > 0;)
            if (aliases.at(i)["ip"].as_string() == address) first = i;
        if (at(path.item("hostAliases", first)) != at(alias_path))
            out.push_back(at(alias_path.child("ip")) + ": duplicate ip " + go_quoted(address));
        warn_ip(out, alias_path.child("ip"), address);
    });
    std::set<std::string_view> secrets;
    each(spec, "imagePullSecrets", path, [&](Value secret, const FieldPath& secret_path) {
        std::string_view name = secret["name"].as_string();
        if (name.empty())
            out.push_back(at(secret_path.child("name")) + ": invalid empty name " + go_quoted(name));
        else if (!secrets.insert(name).second)
            out.push_back(at(secret_path.child("name")) + ": duplicate name " + go_quoted(name));
    });
    each(spec, "volumes", path,
         [&](Value volume, const FieldPath& volume_path) { warn_volume(out, volume_path, volume); });
    for (Value volume : spec["volumes"].items()) warn_volume_items(out, volume);
    if (Value overhead = spec["overhead"]; overhead.is_map())
        for (std::string_view name : {"memory", "ephemeral-storage"})
            if (Value amount = overhead[name];
                amount.is_set() && quantity_of(amount).milli_value() % 1000 != 0)
                out.push_back(at(path.entry("overhead", name)) + ": fractional byte value " +
                              go_quoted(amount.as_string()) + " is invalid, must be an integer");
    constexpr std::string_view kCritical = "scheduler.alpha.kubernetes.io/critical-pod";
    if (metadata["annotations"].has(kCritical))
        out.push_back("metadata.annotations[" + std::string(kCritical) +
                      "]: non-functional in v1.16+; use the \"priorityClassName\" field instead");
    for (const Member& member : metadata["annotations"].members()) {
        if (member.name == "seccomp.security.alpha.kubernetes.io/pod" ||
            member.name.starts_with("container.seccomp.security.alpha.kubernetes.io/"))
            out.push_back("metadata.annotations[" + std::string(member.name) +
                          "]: non-functional in v1.27+; use the \"seccompProfile\" field instead");
        if (member.name.starts_with("container.apparmor.security.beta.kubernetes.io/"))
            out.push_back("metadata.annotations[" + std::string(member.name) +
                          "]: deprecated since v1.30; use the \"appArmorProfile\" field instead");
    }
    for (std::string_view list : {"initContainers", "containers"})
        each(spec, list, path, [&](Value container, const FieldPath& container_path) {
            warn_resources(out, container_path, container);
            warn_duplicate_environment(out, container_path, container);
            if (list == "containers") warn_duplicate_ports(out, container_path, container);
        });
    if (old_spec.is_unset() && spec["terminationGracePeriodSeconds"].is_integer() &&
        spec["terminationGracePeriodSeconds"].as_integer() < 0)
        out.push_back(at(path.child("terminationGracePeriodSeconds")) +
                      ": must be >= 0; negative values are invalid and will be treated as 1");
}

void warn_template(Warnings& out, const FieldPath& path, Value pod_template, Value old) {
    warn_pod_spec(out, path.child("spec"), pod_template["spec"], pod_template["metadata"], old["spec"]);
}

void warn_service(Warnings& out, Value object, Value old) {
    const FieldPath path("spec");
    Value spec = object["spec"];
    if (!spec["externalName"].empty() && spec["type"].as_string() != "ExternalName")
        out.push_back("spec.externalName is ignored when spec.type is not \"ExternalName\"");
    if (old.is_unset() &&
        object.path({"metadata", "annotations"}).has("service.kubernetes.io/topology-aware-hints"))
        out.push_back(
            "metadata.annotations[service.kubernetes.io/topology-aware-hints]: deprecated, use "
            "service.kubernetes.io/topology-mode instead");
    bool headless = spec["clusterIP"].as_string() == "None";
    if (headless && !spec["sessionAffinity"].empty() && spec["sessionAffinity"].as_string() != "None")
        out.push_back("spec.SessionAffinity is ignored for headless services");
    if (!spec["loadBalancerIP"].empty())
        warn_ip(out, path.child("loadBalancerIP"), spec["loadBalancerIP"].as_string());
    each(spec, "clusterIPs", path, [&](Value address, const FieldPath& address_path) {
        warn_ip(out, address_path, address.as_string());
    });
    each(spec, "externalIPs", path, [&](Value address, const FieldPath& address_path) {
        warn_ip(out, address_path, address.as_string());
    });
    if (headless && !spec["externalIPs"].empty())
        out.push_back("spec.externalIPs is ignored when spec.clusterIP is \"None\"");
    if (spec["trafficDistribution"].as_string() == "PreferClose")
        out.push_back(
            "spec.trafficDistribution: \"PreferClose\" is deprecated; use \"PreferSameZone\" instead");
}

void warn_persistent_volume(Warnings& out, Value object) {
    const FieldPath path("spec");
    constexpr std::string_view kClass = "volume.beta.kubernetes.io/storage-class";
    Value annotations = object.path({"metadata", "annotations"});
    if (annotations.has(kClass))
        out.push_back(
            "metadata.annotations[volume.beta.kubernetes.io/storage-class]: deprecated since v1.8; use "
            "\"storageClassName\" attribute instead");
    if (annotations.has("volume.beta.kubernetes.io/mount-options"))
        out.push_back(
            "metadata.annotations[volume.beta.kubernetes.io/mount-options]: deprecated since v1.31; use "
            "\"mountOptions\" attribute instead");
    if (object.path({"spec", "persistentVolumeReclaimPolicy"}).as_string() == "Recycle")
        out.push_back(
            "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the "
            "recommended approach is to use dynamic provisioning.");
    Value storage = object.path({"spec", "capacity", "storage"});
    if (storage.is_set() && quantity_of(storage).milli_value() % 1000 != 0)
        out.push_back("spec.capacity[storage]: fractional byte value " + go_quoted(storage.as_string()) +
                      " is invalid, must be an integer");
    each(object.path({"spec", "nodeAffinity", "required"}), "nodeSelectorTerms",
         path.child("nodeAffinity.required"),
         [&](Value term, const FieldPath& term_path) { warn_node_selector_term(out, term_path, term); });
    warn_volume(out, path, object["spec"]);
}

void warn_claim(Warnings& out, const FieldPath& path, Value spec) {
    Value storage = spec.path({"resources", "requests", "storage"});
    const FieldPath requests = path.child("resources.requests");
    if (storage.is_set() && quantity_of(storage).milli_value() % 1000 != 0)
        out.push_back(at(requests.key("storage")) + ": fractional byte value " +
                      go_quoted(storage.as_string()) + " is invalid, must be an integer");
}

void warn_secret(Warnings& out, Value object) {
    if (object["type"].as_string() != "kubernetes.io/tls") return;
    // "-----BEGIN" in base64; anything else has no PEM block to pair.
    auto has_block = [&](std::string_view name) {
        return object.path({"data", name}).as_string().starts_with("LS0tLS1CRUdJTi");
    };
    if (!has_block("tls.crt"))
        out.push_back("tls: failed to find any PEM data in certificate input");
    else if (!has_block("tls.key"))
        out.push_back("tls: failed to find any PEM data in key input");
}

Value template_of(std::string_view type, Value object) {
    if (type == "core/v1.PodTemplate") return object["template"];
    if (type == "batch/v1.CronJob") return object.path({"spec", "jobTemplate", "spec", "template"});
    return object.path({"spec", "template"});
}

void warn_workload(Warnings& out, std::string_view type, Value object, Value old) {
    constexpr std::string_view kWorkloads[] = {
        "apps/v1.DaemonSet", "apps/v1.Deployment", "apps/v1.ReplicaSet",           "apps/v1.StatefulSet",
        "batch/v1.Job",      "batch/v1.CronJob",   "core/v1.ReplicationController"};
    bool is_template = type == "core/v1.PodTemplate";
    if (!is_template && std::ranges::find(kWorkloads, type) == std::end(kWorkloads)) return;
    const FieldPath path(is_template                  ? "template"
                         : type == "batch/v1.CronJob" ? "spec.jobTemplate.spec.template"
                                                      : "spec.template");
    warn_template(out, path, template_of(type, object), template_of(type, old));
    if (type == "apps/v1.StatefulSet") {
        const FieldPath spec("spec");
        each(object["spec"], "volumeClaimTemplates", spec, [&](Value claim, const FieldPath& claim_path) {
            warn_claim(out, claim_path.child("Spec"), claim["spec"]);
        });
        if (object.path({"spec", "revisionHistoryLimit"}).as_integer() < 0)
            out.push_back(
                "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 "
                "is recommended");
    }
    if (type == "batch/v1.CronJob") {
        if (object.path({"spec", "schedule"}).as_string().find("TZ") != std::string_view::npos)
            out.push_back(
                "CRON_TZ or TZ used in spec.schedule is not officially supported, see "
                "https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details");
    }
    if (type == "batch/v1.Job" || type == "batch/v1.CronJob") {
        if (old.is_unset() && !is_dns1123_label(object.path({"metadata", "name"}).as_string()).empty())
            out.push_back(
                "metadata.name: this is used in Pod names and hostnames, which can result in surprising "
                "behavior; a DNS label is recommended: [" +
                join_messages(is_dns1123_label(object.path({"metadata", "name"}).as_string()), " ") + "]");
    }
    if (old.is_unset() && (type == "apps/v1.Deployment" || type == "apps/v1.ReplicaSet" ||
                           type == "core/v1.ReplicationController")) {
        Messages messages = is_dns1123_label(object.path({"metadata", "name"}).as_string());
        if (!messages.empty())
            out.push_back(
                "metadata.name: this is used in Pod names and hostnames, which can result in surprising "
                "behavior; a DNS label is recommended: [" +
                join_messages(messages, " ") + "]");
    }
}

}  // namespace

}  // namespace validation

std::vector<std::string> warnings(const Resource& resource, Value object, Value old) {
    using namespace validation;
    Warnings out;
    std::string_view type = resource.type->id;
    if (type == "core/v1.Pod") {
        warn_pod_spec(out, FieldPath("spec"), object["spec"], object["metadata"], old["spec"]);
        if (old.is_unset()) {
            std::string_view name = object.path({"metadata", "name"}).as_string();
            if (Messages messages = is_dns1123_label(name); !name.empty() && !messages.empty())
                out.push_back(
                    "metadata.name: this is used in the Pod's hostname, which can result in surprising "
                    "behavior; a DNS label is recommended: [" +
                    join_messages(messages, " ") + "]");
        }
    } else if (type == "core/v1.Service") {
        warn_service(out, object, old);
    } else if (type == "core/v1.Secret") {
        warn_secret(out, object);
    } else if (type == "core/v1.PersistentVolume") {
        warn_persistent_volume(out, object);
    } else if (type == "core/v1.PersistentVolumeClaim") {
        if (object.path({"metadata", "annotations"}).has("volume.beta.kubernetes.io/storage-class"))
            out.push_back(
                "metadata.annotations[volume.beta.kubernetes.io/storage-class]: deprecated since v1.8; use "
                "\"storageClassName\" attribute instead");
        warn_claim(out, FieldPath("spec"), object["spec"]);
    } else if (type == "core/v1.Endpoints") {
        out.emplace_back("v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice");
    } else if (type == "core/v1.ComponentStatus") {
        out.emplace_back("v1 ComponentStatus is deprecated in v1.19+");
    } else if (type == "networking/v1.Ingress") {
        if (object.path({"metadata", "annotations"}).has("kubernetes.io/ingress.class") && old.is_unset())
            out.emplace_back(
                "annotation \"kubernetes.io/ingress.class\" is deprecated, please use "
                "'spec.ingressClassName' instead");
    } else {
        warn_workload(out, type, object, old);
    }
    return out;
}

}  // namespace keelson::object
