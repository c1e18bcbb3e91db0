// Volumes of pods and sources of persistent volumes.
#include <nlohmann/json.hpp>

#include "cli/describe/parts.h"
#include "cli/kube/object.h"

namespace keelson::cli::describing {
namespace {

constexpr int kLevel = 2;

struct Field {
    const char* title;
    const char* name;
    const char* fallback = "";
};
struct Source {
    const char* name;
    const char* type;
    std::vector<Field> fields;
};

const std::vector<Source>& sources() {
    static const std::vector<Source> all = {
        {"hostPath",
         "HostPath (bare host directory volume)",
         {{"Path", "path"}, {"HostPathType", "type", "<none>"}}},
        {"emptyDir",
         "EmptyDir (a temporary directory that shares a pod's lifetime)",
         {{"Medium", "medium"}, {"SizeLimit", "sizeLimit", "<unset>"}}},
        {"gcePersistentDisk",
         "GCEPersistentDisk (a Persistent Disk resource in Google Compute Engine)",
         {{"PDName", "pdName"},
          {"FSType", "fsType"},
          {"Partition", "partition", "0"},
          {"ReadOnly", "readOnly", "false"}}},
        {"awsElasticBlockStore",
         "AWSElasticBlockStore (a Persistent Disk resource in AWS)",
         {{"VolumeID", "volumeID"},
          {"FSType", "fsType"},
          {"Partition", "partition", "0"},
          {"ReadOnly", "readOnly", "false"}}},
        {"secret",
         "Secret (a volume populated by a Secret)",
         {{"SecretName", "secretName"}, {"Optional", "optional", "false"}}},
        {"configMap",
         "ConfigMap (a volume populated by a ConfigMap)",
         {{"Name", "name"}, {"Optional", "optional", "false"}}},
        {"nfs",
         "NFS (an NFS mount that lasts the lifetime of a pod)",
         {{"Server", "server"}, {"Path", "path"}, {"ReadOnly", "readOnly", "false"}}},
        {"iscsi",
         "ISCSI (an ISCSI Disk resource that is attached to a kubelet's host machine and then exposed to the "
         "pod)",
         {{"TargetPortal", "targetPortal"},
          {"IQN", "iqn"},
          {"Lun", "lun", "0"},
          {"ISCSIInterface", "iscsiInterface"},
          {"FSType", "fsType"},
          {"ReadOnly", "readOnly", "false"}}},
        {"persistentVolumeClaim",
         "PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)",
         {{"ClaimName", "claimName"}, {"ReadOnly", "readOnly", "false"}}},
        {"fc",
         "FC (a Fibre Channel disk)",
         {{"TargetWWNs", "targetWWNs"},
          {"LUN", "lun", "0"},
          {"FSType", "fsType"},
          {"ReadOnly", "readOnly", "false"}}},
        {"local", "LocalVolume (a persistent volume backed by local storage on a node)", {{"Path", "path"}}},
        {"image",
         "Image (a container image or OCI artifact)",
         {{"Reference", "reference"}, {"PullPolicy", "pullPolicy"}}},
    };
    return all;
}

void write_items(Description& out, const Json& api) {
    out.line(kLevel, "Items:");
    for (const Json& item : at(api, {"items"})) {
        const Json& field = at(item, {"fieldRef"});
        const std::string from =
            field.is_object() ? text(field, {"fieldPath"}) : text(item, {"resourceFieldRef", "resource"});
        out.line(kLevel + 1, from + " -> " + text(item, {"path"}));
    }
}

// What says nothing is shown as Go shows no pointer.
std::string optional_text(const Json& reference) {
    const Json& value = at(reference, {"optional"});
    return value.is_null() ? "<nil>" : text(value);
}

void write_projected(Description& out, const Json& projected) {
    out.field(kLevel, "Type", "Projected (a volume that contains injected data from multiple sources)");
    for (const Json& source : at(projected, {"sources"})) {
        if (const Json& secret = at(source, {"secret"}); secret.is_object()) {
            out.field(kLevel, "SecretName", text(secret, {"name"}));
            out.field(kLevel, "SecretOptionalName", optional_text(secret));
        } else if (at(source, {"downwardAPI"}).is_object()) {
            out.field(kLevel, "DownwardAPI", "true");
        } else if (const Json& map = at(source, {"configMap"}); map.is_object()) {
            out.field(kLevel, "ConfigMapName", text(map, {"name"}));
            out.field(kLevel, "ConfigMapOptional", optional_text(map));
        } else if (const Json& token = at(source, {"serviceAccountToken"}); token.is_object()) {
            out.field(kLevel, "TokenExpirationSeconds", text(token, {"expirationSeconds"}));
        }
    }
}

void write_attributes(Description& out, const Json& attributes) {
    std::string before = "VolumeAttributes:\t";
    if (!attributes.is_object() || attributes.empty()) return out.line(kLevel, before + std::string(kNone));
    for (const auto& [key, value] : attributes.items()) {
        out.line(kLevel, before + "    " + key + "=" + text(value));
        before = "\t";
    }
}

void write_csi(Description& out, const Json& csi) {
    // A persistent one has a handle.
    const bool is_persistent = csi.contains("volumeHandle");
    out.field(kLevel, "Type", "CSI (a Container Storage Interface (CSI) volume source)");
    out.field(kLevel, "Driver", text(csi, {"driver"}));
    out.field(kLevel, "FSType", text(csi, {"fsType"}));
    if (is_persistent) out.field(kLevel, "VolumeHandle", text(csi, {"volumeHandle"}));
    out.field(kLevel, "ReadOnly", is_true(at(csi, {"readOnly"})) ? "true" : "false");
    write_attributes(out, at(csi, {"volumeAttributes"}));
}

// Pairs of names and values one step further in than elsewhere.
void write_inner_pairs(Description& out, const std::string& title, const Json& pairs, const char* between) {
    std::string before = title + ":\t    ";
    if (!pairs.is_object() || pairs.empty()) return out.line(kLevel, before + std::string(kNone));
    for (const auto& [key, value] : pairs.items()) {
        out.line(kLevel, before + key + between + text(value));
        before = "    \t    ";
    }
}

// A claim that is made with the pod: nothing of it is bound yet.
void write_future_claim(Description& out, const Json& claim) {
    const Json& mode = at(claim, {"spec", "volumeMode"});
    out.field(kLevel, "StorageClass", text(claim, {"spec", "storageClassName"}));
    out.field(kLevel, "Volume", text(claim, {"spec", "volumeName"}));
    write_inner_pairs(out, "Labels", at(claim, {"metadata", "labels"}), "=");
    write_inner_pairs(out, "Annotations", at(claim, {"metadata", "annotations"}), ": ");
    out.field(kLevel, "Capacity", "");
    out.field(kLevel, "Access Modes", "");
    if (!mode.is_null()) out.field(kLevel, "VolumeMode", text(mode));
}

std::string value_of(const Json& source, const Field& field) {
    const Json& value = at(source, {field.name});
    if (value.is_null()) return field.fallback;
    return value.is_array() ? joined(value, ", ") : text(value);
}

}  // namespace

void write_volume_source(Description& out, const Json& source) {
    for (const Source& known : sources()) {
        const Json& found = at(source, {known.name});
        if (!found.is_object()) continue;
        out.field(kLevel, "Type", known.type);
        for (const Field& field : known.fields) out.field(kLevel, field.title, value_of(found, field));
        return;
    }
    if (const Json& api = at(source, {"downwardAPI"}); api.is_object()) {
        out.field(kLevel, "Type", "DownwardAPI (a volume populated by information about the pod)");
        return write_items(out, api);
    }
    if (const Json& projected = at(source, {"projected"}); projected.is_object())
        return write_projected(out, projected);
    if (const Json& csi = at(source, {"csi"}); csi.is_object()) return write_csi(out, csi);
    if (const Json& ephemeral = at(source, {"ephemeral"}); ephemeral.is_object()) {
        out.field(kLevel, "Type",
                  "EphemeralVolume (an inline specification for a volume that gets created and deleted with "
                  "the pod)");
        return write_future_claim(out, at(ephemeral, {"volumeClaimTemplate"}));
    }
    out.line(1, kUnknown);
}

void write_volumes(Description& out, const Json& volumes, std::string_view indent) {
    const std::string title = std::string(indent) + "Volumes:";
    if (!volumes.is_array() || volumes.empty()) return out.line(0, title + "\t" + std::string(kNone));
    out.line(0, title);
    for (const Json& volume : volumes) {
        out.line(1, (indent.empty() ? "" : " ") + text(volume, {"name"}) + ":");
        write_volume_source(out, volume);
    }
}

}  // namespace keelson::cli::describing
