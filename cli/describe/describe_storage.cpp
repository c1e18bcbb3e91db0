// Persistent volumes, claims and storage classes.
#include <cctype>
#include <nlohmann/json.hpp>

#include "cli/describe/parts.h"
#include "cli/kube/object.h"

namespace keelson::cli::describing {
namespace {

constexpr const char* kDefaultClass = "storageclass.kubernetes.io/is-default-class";

std::string finalizers_of(const Json& object) {
    return "[" + joined(at(object, {"metadata", "finalizers"}), " ") + "]";
}

std::string status_of(const Context& context) {
    const Json& deleted = at(context.object, {"metadata", "deletionTimestamp"});
    if (!deleted.is_null()) return "Terminating (lasts " + age(deleted, context.options.now) + ")";
    return text(context.object, {"status", "phase"});
}

std::string term_text(const Json& expression) {
    std::string lower = text(expression, {"operator"});
    for (char& letter : lower) letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
    const std::string values = joined(at(expression, {"values"}), ", ");
    const std::string line = text(expression, {"key"}) + " " + lower;
    return values.empty() ? line : line + " [" + values + "]";
}

void write_affinity(Description& out, const Json& volume) {
    const Json& terms = at(volume, {"spec", "nodeAffinity", "required", "nodeSelectorTerms"});
    if (!at(volume, {"spec", "nodeAffinity"}).is_object()) return out.field(0, "Node Affinity", kNone);
    out.field(0, "Node Affinity", "");
    if (!terms.is_array() || terms.empty()) return out.field(1, "Required Terms", kNone);
    out.field(1, "Required Terms", "");
    int index = 0;
    for (const Json& term : terms) {
        std::string before = "Term " + std::to_string(index++) + ":\t";
        const Json& expressions = at(term, {"matchExpressions"});
        if (!expressions.is_array() || expressions.empty()) out.line(2, before + std::string(kNone));
        for (const Json& expression : expressions) {
            out.line(2, before + term_text(expression));
            before = "\t";
        }
    }
}

std::string capacity_of(const Json& object, std::initializer_list<std::string_view> where) {
    return text(at(object, where), {"storage"});
}

void write_data_source(Description& out, const Json& claim) {
    const Json& source = at(claim, {"spec", "dataSource"});
    if (!source.is_object()) return;
    out.line(0, "DataSource:");
    if (const Json& group = at(source, {"apiGroup"}); !group.is_null()) out.field(1, "APIGroup", text(group));
    out.field(1, "Kind", text(source, {"kind"}));
    out.field(1, "Name", text(source, {"name"}));
}

bool uses_claim(const Json& pod, const std::string& claim) {
    for (const Json& volume : at(pod, {"spec", "volumes"})) {
        if (text(volume, {"persistentVolumeClaim", "claimName"}) == claim) return true;
        if (at(volume, {"ephemeral"}).is_object() &&
            kube::name_of(pod) + "-" + text(volume, {"name"}) == claim)
            return true;
    }
    return false;
}

void write_users(const Context& context) {
    const auto pods = context.related.list("pods", kube::namespace_of(context.object), {});
    std::string before = "Used By:\t";
    bool has_users = false;
    if (pods) {
        for (const Json& pod : at(*pods, {"items"})) {
            if (!uses_claim(pod, kube::name_of(context.object))) continue;
            context.out.line(0, before + kube::name_of(pod));
            before = "\t";
            has_users = true;
        }
    }
    if (!has_users) context.out.line(0, before + std::string(kNone));
}

void write_claim_conditions(Description& out, const Json& conditions) {
    if (!conditions.is_array() || conditions.empty()) return;
    out.line(0, "Conditions:");
    out.row(1, {"Type", "Status", "LastProbeTime", "LastTransitionTime", "Reason", "Message"});
    out.row(1, {"----", "------", "-----------------", "------------------", "------", "-------"});
    for (const Json& condition : conditions)
        out.row(1, {text(condition, {"type"}) + " ", text(condition, {"status"}) + " ",
                    long_time(at(condition, {"lastProbeTime"})) + " ",
                    long_time(at(condition, {"lastTransitionTime"})) + " ", text(condition, {"reason"}) + " ",
                    text(condition, {"message"})});
}

void write_mount_options(Description& out, const Json& options) {
    if (!options.is_array() || options.empty()) return out.field(0, "MountOptions", kNone);
    out.line(0, "MountOptions:");
    for (const Json& option : options) out.line(1, text(option));
}

void write_topologies(Description& out, const Json& topologies) {
    if (!topologies.is_array() || topologies.empty()) return out.field(0, "AllowedTopologies", kNone);
    out.field(0, "AllowedTopologies", "");
    int index = 0;
    for (const Json& term : topologies) {
        std::string before = "Term " + std::to_string(index++) + ":\t";
        for (const Json& expression : at(term, {"matchLabelExpressions"})) {
            out.line(1, before + text(expression, {"key"}) + " in [" +
                            joined(at(expression, {"values"}), ", ") + "]");
            before = "\t";
        }
    }
}

}  // namespace

std::string access_modes(const Json& modes) {
    std::vector<std::string> short_names;
    for (const Json& mode : modes) {
        const std::string name = text(mode);
        short_names.push_back(name == "ReadWriteOnce"      ? "RWO"
                              : name == "ReadOnlyMany"     ? "ROX"
                              : name == "ReadWriteMany"    ? "RWX"
                              : name == "ReadWriteOncePod" ? "RWOP"
                                                           : name);
    }
    return joined(short_names, ",");
}

void write_claim_template(Description& out, const Json& claim) {
    const Json& spec = at(claim, {"spec"});
    out.field(1, "StorageClass", text(spec, {"storageClassName"}));
    write_labels(out, "Labels", at(claim, {"metadata", "labels"}), "  ");
    write_annotations(out, "Annotations", at(claim, {"metadata", "annotations"}), "  ");
    const std::string wanted = capacity_of(spec, {"resources", "requests"});
    out.field(1, "Capacity", wanted.empty() ? "<default>" : wanted);
    out.field(1, "Access Modes", "[" + joined(at(spec, {"accessModes"}), " ") + "]");
}

void describe_persistent_volume(const Context& context) {
    const Json& volume = context.object;
    Description& out = context.out;
    const Json& spec = at(volume, {"spec"});
    out.field(0, "Name", kube::name_of(volume));
    write_metadata(out, volume);
    out.field(0, "Finalizers", finalizers_of(volume));
    out.field(0, "StorageClass", text(spec, {"storageClassName"}));
    if (const Json& attributes = at(spec, {"volumeAttributesClassName"}); !attributes.is_null())
        out.field(0, "VolumeAttributesClass", text(attributes));
    out.field(0, "Status", status_of(context));
    const Json& claim = at(spec, {"claimRef"});
    out.field(0, "Claim",
              claim.is_object() ? text(claim, {"namespace"}) + "/" + text(claim, {"name"}) : std::string());
    out.field(0, "Reclaim Policy", text(spec, {"persistentVolumeReclaimPolicy"}));
    out.field(0, "Access Modes", access_modes(at(spec, {"accessModes"})));
    if (const Json& mode = at(spec, {"volumeMode"}); !mode.is_null()) out.field(0, "VolumeMode", text(mode));
    out.field(0, "Capacity", capacity_of(spec, {"capacity"}));
    write_affinity(out, volume);
    out.field(0, "Message", text(volume, {"status", "message"}));
    out.line(0, "Source:");
    write_volume_source(out, spec);
    write_events(context);
}

void describe_persistent_volume_claim(const Context& context) {
    const Json& claim = context.object;
    Description& out = context.out;
    const Json& spec = at(claim, {"spec"});
    write_name(out, claim);
    out.field(0, "StorageClass", text(spec, {"storageClassName"}));
    out.field(0, "Status", status_of(context));
    out.field(0, "Volume", text(spec, {"volumeName"}));
    write_metadata(out, claim);
    out.field(0, "Finalizers", finalizers_of(claim));
    const bool is_bound = !text(spec, {"volumeName"}).empty();
    out.field(0, "Capacity", is_bound ? capacity_of(claim, {"status", "capacity"}) : std::string());
    out.field(0, "Access Modes",
              is_bound ? access_modes(at(claim, {"status", "accessModes"})) : std::string());
    if (const Json& mode = at(spec, {"volumeMode"}); !mode.is_null()) out.field(0, "VolumeMode", text(mode));
    write_data_source(out, claim);
    write_users(context);
    write_claim_conditions(out, at(claim, {"status", "conditions"}));
    write_events(context);
}

void describe_storage_class(const Context& context) {
    const Json& type = context.object;
    Description& out = context.out;
    const bool is_default = text(at(type, {"metadata", "annotations"}), {kDefaultClass}) == "true";
    out.field(0, "Name", kube::name_of(type));
    out.field(0, "IsDefaultClass", is_default ? "Yes" : "No");
    out.field(0, "Annotations", format_labels(at(type, {"metadata", "annotations"})));
    out.field(0, "Provisioner", text(type, {"provisioner"}));
    out.field(0, "Parameters", format_labels(at(type, {"parameters"})));
    const Json& expansion = at(type, {"allowVolumeExpansion"});
    out.field(0, "AllowVolumeExpansion", expansion.is_null() ? std::string(kUnset) : yes(is_true(expansion)));
    write_mount_options(out, at(type, {"mountOptions"}));
    if (const Json& policy = at(type, {"reclaimPolicy"}); !policy.is_null())
        out.field(0, "ReclaimPolicy", text(policy));
    if (const Json& mode = at(type, {"volumeBindingMode"}); !mode.is_null())
        out.field(0, "VolumeBindingMode", text(mode));
    if (!at(type, {"allowedTopologies"}).is_null()) write_topologies(out, at(type, {"allowedTopologies"}));
    write_events(context);
}

}  // namespace keelson::cli::describing
