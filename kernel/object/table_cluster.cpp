// Table columns of services, storage, access, policy and the other kinds that are not workloads.
#include <algorithm>
#include <cctype>
#include <map>
#include <set>
#include <string>

#include "kernel/object/table_cells.h"
#include "kernel/object/time_format.h"

namespace keelson::object::tables {
namespace {

// Text of a path with "<none>", "<unset>", "<unknown>" or nothing when it is missing.
template <const char* Path>
Value text_cell(const Cell& cell) {
    return cell.text_at(Path);
}
template <const char* Path>
Value text_or_none(const Cell& cell) {
    return cell.text_at(Path, "<none>");
}
template <const char* Path>
Value text_or_unset(const Cell& cell) {
    return cell.text_at(Path, "<unset>");
}
template <const char* Path>
Value number_cell(const Cell& cell) {
    return cell.number_at(Path);
}
template <const char* Path>
Value count_cell(const Cell& cell) {
    return Value::integer(static_cast<std::int64_t>(cell.at(Path).size()));
}
template <const char* Path>
Value truth_cell(const Cell& cell) {
    return Value::boolean(cell.at(Path).as_boolean());
}

std::string lower(std::string text) {
    std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

Value number_or_none(const Cell& cell, std::string_view path) {
    Value found = cell.at(path);
    return found.is_integer() ? found : cell.text("<none>");
}

// --- services and networking ---

std::vector<std::string> ingress_addresses(const Cell& cell) {
    std::set<std::string> addresses;
    for (Value ingress : cell.at("status.loadBalancer.ingress").items()) {
        std::string address = ingress["ip"].to_string();
        if (address.empty()) address = ingress["hostname"].to_string();
        if (!address.empty()) addresses.insert(address);
    }
    return {addresses.begin(), addresses.end()};
}

Value external_ip(const Cell& cell) {
    std::string_view type = cell.at("spec.type").as_string();
    std::vector<std::string> external = each_text(cell.at("spec.externalIPs"), "");
    if (type == "ExternalName") return cell.text_at("spec.externalName");
    if (type == "ClusterIP" || type == "NodePort") return cell.text(external.empty() ? "<none>" : join(external));
    if (type != "LoadBalancer") return cell.text("<unknown>");
    std::vector<std::string> all = ingress_addresses(cell);
    all.insert(all.end(), external.begin(), external.end());
    return cell.text(all.empty() ? "<pending>" : join(all));
}

Value service_ports(const Cell& cell) {
    std::vector<std::string> items;
    for (Value port : cell.at("spec.ports").items()) {
        std::string text = std::to_string(port["port"].as_integer());
        if (std::int64_t node_port = port["nodePort"].as_integer(); node_port > 0)
            text += ":" + std::to_string(node_port);
        items.push_back(text + "/" + port["protocol"].to_string());
    }
    return cell.text(items.empty() ? "<none>" : join(items));
}

constexpr char kSpecType[] = "spec.type";

constexpr ColumnRule kService[] = {
    kNameColumn,
    {{"Type", "string", "", 0}, text_cell<kSpecType>},
    {{"Cluster-IP", "string", "", 0},
     [](const Cell& cell) {
         std::string address = cell.at("spec.clusterIPs").at(0).to_string();
         return cell.text(address.empty() ? "<none>" : address);
     }},
    {{"External-IP", "string", "", 0}, external_ip},
    {{"Port(s)", "string", "", 0}, service_ports},
    kAgeColumn,
    {{"Selector", "string", "", 1}, [](const Cell& cell) { return cell.text(labels_text(cell.at("spec.selector"))); }},
};

Value ingress_hosts(const Cell& cell) {
    std::vector<std::string> hosts;
    for (Value rule : cell.at("spec.rules").items())
        if (std::string host = rule["host"].to_string(); !host.empty()) hosts.push_back(host);
    return cell.text(first_three(hosts, "*"));
}

constexpr char kIngressClassName[] = "spec.ingressClassName";

constexpr ColumnRule kIngress[] = {
    kNameColumn,
    {{"Class", "string", "", 0}, text_or_none<kIngressClassName>},
    {{"Hosts", "string", "", 0}, ingress_hosts},
    {{"Address", "string", "", 0}, [](const Cell& cell) { return cell.text(join(ingress_addresses(cell))); }},
    {{"Ports", "string", "", 0},
     [](const Cell& cell) { return cell.text(cell.at("spec.tls").empty() ? "80" : "80, 443"); }},
    kAgeColumn,
};

Value name_with_default(const Cell& cell, std::initializer_list<std::string_view> annotations) {
    std::string name = cell.at("metadata.name").to_string();
    Value all = cell.at("metadata.annotations");
    for (std::string_view annotation : annotations)
        if (all[annotation].as_string() == "true") return cell.text(name + " (default)");
    return cell.text(name);
}

constexpr char kController[] = "spec.controller";

constexpr ColumnRule kIngressClass[] = {
    {{"Name", "string", "name", 0},
     [](const Cell& cell) { return name_with_default(cell, {"ingressclass.kubernetes.io/is-default-class"}); }},
    {{"Controller", "string", "", 0}, text_cell<kController>},
    {{"Parameters", "string", "", 0},
     [](const Cell& cell) {
         Value parameters = cell.at("spec.parameters");
         if (parameters.is_unset()) return cell.text("<none>");
         std::string text = parameters["kind"].to_string();
         if (std::string group = parameters["apiGroup"].to_string(); !group.empty()) text += "." + group;
         return cell.text(text + "/" + parameters["name"].to_string());
     }},
    kAgeColumn,
};

Value endpoints_text(const Cell& cell) {
    std::vector<std::string> items;
    for (Value subset : cell.at("subsets").items()) {
        Value ports = subset["ports"], addresses = subset["addresses"];
        if (ports.empty())
            for (Value address : addresses.items()) items.push_back(address["ip"].to_string());
        for (Value port : ports.items()) {
            for (Value address : addresses.items()) {
                std::string ip = address["ip"].to_string();
                if (ip.find(':') != std::string::npos) ip = "[" + ip + "]";
                items.push_back(ip + ":" + std::to_string(port["port"].as_integer()));
            }
        }
    }
    return cell.text(first_three(items, "<none>"));
}

constexpr ColumnRule kEndpoints[] = {kNameColumn, {{"Endpoints", "string", "", 0}, endpoints_text}, kAgeColumn};

Value slice_ports(const Cell& cell) {
    std::vector<std::string> items;
    for (Value port : cell.at("ports").items()) {
        if (port["port"].is_integer())
            items.push_back(std::to_string(port["port"].as_integer()));
        else
            items.push_back(port["name"].as_string().empty() ? "*" : port["name"].to_string());
    }
    return cell.text(first_three(items, "<unset>"));
}

Value slice_endpoints(const Cell& cell) {
    std::vector<std::string> items;
    for (Value endpoint : cell.at("endpoints").items())
        for (const std::string& address : each_text(endpoint["addresses"], "")) items.push_back(address);
    return cell.text(first_three(items, "<unset>"));
}

constexpr char kAddressType[] = "addressType";

constexpr ColumnRule kEndpointSlice[] = {
    kNameColumn,
    {{"AddressType", "string", "", 0}, text_cell<kAddressType>},
    {{"Ports", "string", "", 0}, slice_ports},
    {{"Endpoints", "string", "", 0}, slice_endpoints},
    kAgeColumn,
};

constexpr ColumnRule kNetworkPolicy[] = {
    kNameColumn,
    {{"Pod-Selector", "string", "", 0},
     [](const Cell& cell) {
         Value selector = cell.at("spec.podSelector");
         return cell.text(selector.is_unset() ? "<none>" : selector_text(selector));
     }},
    kAgeColumn,
};

constexpr ColumnRule kServiceCidr[] = {
    kNameColumn,
    {{"CIDRs", "string", "", 0}, [](const Cell& cell) { return cell.text(join(each_text(cell.at("spec.cidrs"), ""))); }},
    kAgeColumn,
};

Value parent_text(const Cell& cell) {
    Value parent = cell.at("spec.parentRef");
    if (parent.is_unset()) return cell.text("<none>");
    std::string text = lower(parent["resource"].to_string());
    if (std::string group = parent["group"].to_string(); !group.empty()) text += "." + lower(group);
    if (std::string space = parent["namespace"].to_string(); !space.empty()) text += "/" + space;
    return cell.text(text + "/" + parent["name"].to_string());
}

constexpr ColumnRule kIpAddress[] = {kNameColumn, {{"ParentRef", "string", "", 0}, parent_text}};

// --- nodes and namespaces ---

Value node_status(const Cell& cell) {
    Value ready = condition_of(cell.at("status"), "Ready");
    std::string text = ready.is_unset() ? "Unknown" : ready["status"].as_string() == "True" ? "Ready" : "NotReady";
    if (cell.at("spec.unschedulable").as_boolean()) text += ",SchedulingDisabled";
    return cell.text(text);
}

Value node_roles(const Cell& cell) {
    constexpr std::string_view kPrefix = "node-role.kubernetes.io/";
    std::set<std::string> roles;
    for (const Member& label : cell.at("metadata.labels").members()) {
        if (label.name.starts_with(kPrefix) && label.name.size() > kPrefix.size())
            roles.insert(std::string(label.name.substr(kPrefix.size())));
        if (label.name == "kubernetes.io/role" && !label.value.as_string().empty())
            roles.insert(label.value.to_string());
    }
    return cell.text(roles.empty() ? "<none>" : join({roles.begin(), roles.end()}));
}

Value node_address(const Cell& cell, std::string_view type) {
    for (Value address : cell.at("status.addresses").items())
        if (address["type"].as_string() == type) return cell.text(address["address"].as_string());
    return cell.text("<none>");
}

constexpr char kKubeletVersion[] = "status.nodeInfo.kubeletVersion";

constexpr ColumnRule kNode[] = {
    kNameColumn,
    {{"Status", "string", "", 0}, node_status},
    {{"Roles", "string", "", 0}, node_roles},
    kAgeColumn,
    {{"Version", "string", "", 0}, text_cell<kKubeletVersion>},
    {{"Internal-IP", "string", "", 1}, [](const Cell& cell) { return node_address(cell, "InternalIP"); }},
    {{"External-IP", "string", "", 1}, [](const Cell& cell) { return node_address(cell, "ExternalIP"); }},
    {{"OS-Image", "string", "", 1},
     [](const Cell& cell) { return cell.text_at("status.nodeInfo.osImage", "<unknown>"); }},
    {{"Kernel-Version", "string", "", 1},
     [](const Cell& cell) {
         std::string text = cell.text_at("status.nodeInfo.kernelVersion", "<unknown>").to_string();
         std::string architecture = cell.at("status.nodeInfo.architecture").to_string();
         return cell.text(architecture.empty() ? text : text + " (" + architecture + ")");
     }},
    {{"Container-Runtime", "string", "", 1},
     [](const Cell& cell) { return cell.text_at("status.nodeInfo.containerRuntimeVersion", "<unknown>"); }},
};

constexpr char kPhase[] = "status.phase";

constexpr ColumnRule kNamespace[] = {kNameColumn, {{"Status", "string", "", 0}, text_cell<kPhase>}, kAgeColumn};

// --- configuration ---

constexpr char kType[] = "type";
constexpr char kData[] = "data";

constexpr ColumnRule kSecret[] = {
    kNameColumn,
    {{"Type", "string", "", 0}, text_cell<kType>},
    {{"Data", "string", "", 0}, count_cell<kData>},
    kAgeColumn,
};

constexpr ColumnRule kConfigMap[] = {
    kNameColumn,
    {{"Data", "string", "", 0},
     [](const Cell& cell) {
         return Value::integer(static_cast<std::int64_t>(cell.at("data").size() + cell.at("binaryData").size()));
     }},
    kAgeColumn,
};

constexpr ColumnRule kNameAndAge[] = {kNameColumn, kAgeColumn};

Value component_condition(const Cell& cell, std::string_view member) {
    Value condition = condition_of(cell.object, "Healthy");
    return cell.text(condition[member].as_string());
}

constexpr ColumnRule kComponentStatus[] = {
    kNameColumn,
    {{"Status", "string", "", 0},
     [](const Cell& cell) {
         std::string_view status = condition_of(cell.object, "Healthy")["status"].as_string();
         return cell.text(status == "True" ? "Healthy" : status == "False" ? "Unhealthy" : "Unknown");
     }},
    {{"Message", "string", "", 0}, [](const Cell& cell) { return component_condition(cell, "message"); }},
    {{"Error", "string", "", 0}, [](const Cell& cell) { return component_condition(cell, "error"); }},
};

// --- events: core/v1 and events.k8s.io/v1 name their fields differently ---

Value either(const Cell& cell, std::string_view core, std::string_view events) {
    Value found = cell.at(core);
    return found.is_set() ? found : cell.at(events);
}

Value first_seen(const Cell& cell) {
    Value first = either(cell, "firstTimestamp", "deprecatedFirstTimestamp");
    return first.is_set() ? first : cell.at("eventTime");
}

Value last_seen(const Cell& cell) {
    if (Value series = cell.at("series.lastObservedTime"); series.is_set()) return series;
    Value last = either(cell, "lastTimestamp", "deprecatedLastTimestamp");
    return last.is_set() ? last : first_seen(cell);
}

Value event_object(const Cell& cell) {
    Value object = either(cell, "involvedObject", "regarding");
    std::string name = object["name"].to_string();
    return cell.text(lower(object["kind"].to_string()) + (name.empty() ? "" : "/" + name));
}

Value event_source(const Cell& cell) {
    Value source = either(cell, "source", "deprecatedSource");
    std::string component = source["component"].to_string(), host = source["host"].to_string();
    if (component.empty()) component = plain_text(either(cell, "reportingComponent", "reportingController"));
    if (host.empty()) host = cell.at("reportingInstance").to_string();
    return cell.text(host.empty() ? component : component + ", " + host);
}

Value event_message(const Cell& cell) {
    std::string text = either(cell, "message", "note").to_string();
    std::size_t start = text.find_first_not_of(" \t\r\n"), end = text.find_last_not_of(" \t\r\n");
    return cell.text(start == std::string::npos ? "" : text.substr(start, end - start + 1));
}

Value event_count(const Cell& cell) {
    if (Value series = cell.at("series"); series.is_set()) return Value::integer(series["count"].as_integer());
    std::int64_t count = either(cell, "count", "deprecatedCount").as_integer();
    return Value::integer(count == 0 ? 1 : count);
}

constexpr char kReason[] = "reason";

constexpr ColumnRule kEvent[] = {
    {{"Last Seen", "string", "", 0}, [](const Cell& cell) { return cell.text(cell.age(last_seen(cell))); }},
    {{"Type", "string", "", 0}, text_cell<kType>},
    {{"Reason", "string", "", 0}, text_cell<kReason>},
    {{"Object", "string", "", 0}, event_object},
    {{"Subobject", "string", "", 1},
     [](const Cell& cell) { return cell.text(either(cell, "involvedObject", "regarding")["fieldPath"].as_string()); }},
    {{"Source", "string", "", 1}, event_source},
    {{"Message", "string", "", 0}, event_message},
    {{"First Seen", "string", "", 1}, [](const Cell& cell) { return cell.text(cell.age(first_seen(cell))); }},
    {{"Count", "string", "", 1}, event_count},
    {{"Name", "string", "name", 1}, name_cell},
};

// --- storage ---

std::string access_modes(Value modes) {
    std::vector<std::string> items;
    for (auto [name, text] : {std::pair<std::string_view, std::string_view>{"ReadWriteOnce", "RWO"},
                              {"ReadOnlyMany", "ROX"},
                              {"ReadWriteMany", "RWX"},
                              {"ReadWriteOncePod", "RWOP"}})
        for (Value mode : modes.items())
            if (mode.as_string() == name) {
                items.emplace_back(text);
                break;
            }
    return join(items);
}

Value phase_or_terminating(const Cell& cell) {
    if (cell.at("metadata.deletionTimestamp").is_set()) return cell.text("Terminating");
    return cell.text_at("status.phase");
}

Value storage_class(const Cell& cell) {
    Value annotation = cell.at("metadata.annotations")["volume.beta.kubernetes.io/storage-class"];
    return annotation.is_string() ? annotation : cell.text_at("spec.storageClassName");
}

constexpr char kCapacityStorage[] = "spec.capacity.storage";
constexpr char kReclaimPolicy[] = "spec.persistentVolumeReclaimPolicy";
constexpr char kAttributesClass[] = "spec.volumeAttributesClassName";
constexpr char kStatusReason[] = "status.reason";
constexpr char kVolumeMode[] = "spec.volumeMode";
constexpr char kVolumeName[] = "spec.volumeName";

constexpr ColumnRule kPersistentVolume[] = {
    kNameColumn,
    {{"Capacity", "string", "", 0}, text_cell<kCapacityStorage>},
    {{"Access Modes", "string", "", 0},
     [](const Cell& cell) { return cell.text(access_modes(cell.at("spec.accessModes"))); }},
    {{"Reclaim Policy", "string", "", 0}, text_cell<kReclaimPolicy>},
    {{"Status", "string", "", 0}, phase_or_terminating},
    {{"Claim", "string", "", 0},
     [](const Cell& cell) {
         Value claim = cell.at("spec.claimRef");
         if (claim.is_unset()) return cell.text("");
         return cell.text(claim["namespace"].to_string() + "/" + claim["name"].to_string());
     }},
    {{"StorageClass", "string", "", 0}, storage_class},
    {{"VolumeAttributesClass", "string", "", 0}, text_or_unset<kAttributesClass>},
    {{"Reason", "string", "", 0}, text_cell<kStatusReason>},
    kAgeColumn,
    {{"VolumeMode", "string", "", 1}, text_or_unset<kVolumeMode>},
};

constexpr ColumnRule kPersistentVolumeClaim[] = {
    kNameColumn,
    {{"Status", "string", "", 0}, phase_or_terminating},
    {{"Volume", "string", "", 0}, text_cell<kVolumeName>},
    {{"Capacity", "string", "", 0},
     [](const Cell& cell) {
         if (cell.at("spec.volumeName").as_string().empty()) return cell.text("");
         return cell.text_at("status.capacity.storage");
     }},
    {{"Access Modes", "string", "", 0},
     [](const Cell& cell) {
         bool bound = !cell.at("spec.volumeName").as_string().empty();
         return cell.text(bound ? access_modes(cell.at("status.accessModes")) : "");
     }},
    {{"StorageClass", "string", "", 0}, storage_class},
    {{"VolumeAttributesClass", "string", "", 0}, text_or_unset<kAttributesClass>},
    kAgeColumn,
    {{"VolumeMode", "string", "", 1}, text_or_unset<kVolumeMode>},
};

constexpr char kProvisioner[] = "provisioner";
constexpr char kAllowExpansion[] = "allowVolumeExpansion";
constexpr char kDriverName[] = "driverName";

constexpr ColumnRule kStorageClass[] = {
    {{"Name", "string", "name", 0},
     [](const Cell& cell) {
         return name_with_default(cell, {"storageclass.kubernetes.io/is-default-class",
                                         "storageclass.beta.kubernetes.io/is-default-class"});
     }},
    {{"Provisioner", "string", "", 0}, text_cell<kProvisioner>},
    {{"ReclaimPolicy", "string", "", 0}, [](const Cell& cell) { return cell.text_at("reclaimPolicy", "Delete"); }},
    {{"VolumeBindingMode", "string", "", 0},
     [](const Cell& cell) { return cell.text_at("volumeBindingMode", "Immediate"); }},
    {{"AllowVolumeExpansion", "string", "", 0}, truth_cell<kAllowExpansion>},
    kAgeColumn,
};

constexpr ColumnRule kVolumeAttributesClass[] = {
    kNameColumn, {{"DriverName", "string", "", 0}, text_cell<kDriverName>}, kAgeColumn};

constexpr char kAttacher[] = "spec.attacher";
constexpr char kSourceVolume[] = "spec.source.persistentVolumeName";
constexpr char kNodeName[] = "spec.nodeName";
constexpr char kAttached[] = "status.attached";
constexpr char kDrivers[] = "spec.drivers";

constexpr ColumnRule kVolumeAttachment[] = {
    kNameColumn,
    {{"Attacher", "string", "name", 0}, text_cell<kAttacher>},
    {{"PV", "string", "", 0}, text_cell<kSourceVolume>},
    {{"Node", "string", "", 0}, text_cell<kNodeName>},
    {{"Attached", "boolean", "", 0}, truth_cell<kAttached>},
    kAgeColumn,
};

constexpr ColumnRule kCsiNode[] = {kNameColumn, {{"Drivers", "integer", "", 0}, count_cell<kDrivers>}, kAgeColumn};

Value truth_or(const Cell& cell, std::string_view path, bool missing) {
    Value found = cell.at(path);
    return Value::boolean(found.is_boolean() ? found.as_boolean() : missing);
}

constexpr ColumnRule kCsiDriver[] = {
    kNameColumn,
    {{"AttachRequired", "boolean", "", 0}, [](const Cell& cell) { return truth_or(cell, "spec.attachRequired", true); }},
    {{"PodInfoOnMount", "boolean", "", 0}, [](const Cell& cell) { return truth_or(cell, "spec.podInfoOnMount", false); }},
    {{"StorageCapacity", "boolean", "", 0},
     [](const Cell& cell) { return truth_or(cell, "spec.storageCapacity", false); }},
    {{"TokenRequests", "string", "", 0},
     [](const Cell& cell) {
         auto audiences = each_text(cell.at("spec.tokenRequests"), "audience");
         return cell.text(audiences.empty() ? "<unset>" : join(audiences));
     }},
    {{"RequiresRepublish", "boolean", "", 0},
     [](const Cell& cell) { return truth_or(cell, "spec.requiresRepublish", false); }},
    {{"Modes", "string", "", 0},
     [](const Cell& cell) {
         auto modes = each_text(cell.at("spec.volumeLifecycleModes"), "");
         return cell.text(modes.empty() ? "<none>" : join(modes));
     }},
    kAgeColumn,
};

// --- access ---

Value role_text(const Cell& cell) {
    return cell.text(cell.at("roleRef.kind").to_string() + "/" + cell.at("roleRef.name").to_string());
}

Value subjects_text(const Cell& cell, std::string_view kind) {
    std::vector<std::string> names;
    for (Value subject : cell.at("subjects").items()) {
        if (subject["kind"].as_string() != kind) continue;
        std::string name = subject["name"].to_string();
        names.push_back(kind == "ServiceAccount" ? subject["namespace"].to_string() + "/" + name : name);
    }
    return cell.text(join(names, ", "));
}

constexpr ColumnRule kRoleBinding[] = {
    kNameColumn,
    {{"Role", "string", "", 0}, role_text},
    kAgeColumn,
    {{"Users", "string", "", 1}, [](const Cell& cell) { return subjects_text(cell, "User"); }},
    {{"Groups", "string", "", 1}, [](const Cell& cell) { return subjects_text(cell, "Group"); }},
    {{"ServiceAccounts", "string", "", 1}, [](const Cell& cell) { return subjects_text(cell, "ServiceAccount"); }},
};

Value request_condition(const Cell& cell) {
    bool approved = false, denied = false, failed = false;
    for (Value condition : cell.at("status.conditions").items()) {
        std::string_view type = condition["type"].as_string();
        approved = approved || type == "Approved";
        denied = denied || type == "Denied";
        failed = failed || type == "Failed";
    }
    std::string text = denied ? "Denied" : approved ? "Approved" : "Pending";
    if (failed) text += ",Failed";
    if (!cell.at("status.certificate").as_string().empty()) text += ",Issued";
    return cell.text(text);
}

constexpr char kSignerName[] = "spec.signerName";
constexpr char kUsername[] = "spec.username";

constexpr ColumnRule kCertificateRequest[] = {
    kNameColumn,
    kAgeColumn,
    {{"SignerName", "string", "", 0}, text_or_none<kSignerName>},
    {{"Requestor", "string", "", 0}, text_cell<kUsername>},
    {{"RequestedDuration", "string", "", 0},
     [](const Cell& cell) {
         Value seconds = cell.at("spec.expirationSeconds");
         return cell.text(seconds.is_integer() ? human_duration(seconds.as_integer()) : "<none>");
     }},
    {{"Condition", "string", "", 0}, request_condition},
};

// --- policy and scaling ---

constexpr ColumnRule kDisruptionBudget[] = {
    kNameColumn,
    {{"Min Available", "string", "", 0}, [](const Cell& cell) { return cell.text_at("spec.minAvailable", "N/A"); }},
    {{"Max Unavailable", "string", "", 0}, [](const Cell& cell) { return cell.text_at("spec.maxUnavailable", "N/A"); }},
    {{"Allowed Disruptions", "integer", "", 0},
     [](const Cell& cell) { return cell.number_at("status.disruptionsAllowed"); }},
    kAgeColumn,
};

Value quota_text(const Cell& cell, bool limits) {
    std::vector<std::string> items;
    for (const Member& entry : cell.at("status.hard").members()) {
        if (entry.name.starts_with("limits.") != limits) continue;
        std::string used = cell.at("status.used")[entry.name].to_string();
        items.push_back(std::string(entry.name) + ": " + (used.empty() ? "0" : used) + "/" + entry.value.to_string());
    }
    std::ranges::sort(items);
    return cell.text(join(items, ", "));
}

constexpr ColumnRule kResourceQuota[] = {
    kNameColumn,
    {{"Request", "string", "", 0}, [](const Cell& cell) { return quota_text(cell, false); }},
    {{"Limit", "string", "", 0}, [](const Cell& cell) { return quota_text(cell, true); }},
    kAgeColumn,
};

std::string metric_target(Value target, Value current, bool marks_average) {
    std::string_view type = target["type"].as_string();
    if (target["averageUtilization"].is_integer() || type == "Utilization") {
        Value now = current["averageUtilization"];
        return (now.is_integer() ? std::to_string(now.as_integer()) + "%" : "<unknown>") + "/" +
               std::to_string(target["averageUtilization"].as_integer()) + "%";
    }
    if (target["averageValue"].is_set()) {
        std::string suffix = marks_average ? " (avg)" : "";
        Value now = current["averageValue"];
        return (now.is_set() ? now.to_string() : "<unknown>") + "/" + target["averageValue"].to_string() + suffix;
    }
    Value now = current["value"];
    return (now.is_set() ? now.to_string() : "<unknown>") + "/" + target["value"].to_string();
}

std::string metric_text(Value metric, Value current) {
    std::string_view type = metric["type"].as_string();
    for (auto [kind, member] : {std::pair<std::string_view, std::string_view>{"Resource", "resource"},
                                {"ContainerResource", "containerResource"},
                                {"Pods", "pods"},
                                {"Object", "object"},
                                {"External", "external"}}) {
        if (type != kind) continue;
        Value source = metric[member];
        bool marks_average = kind == "Object" || kind == "External";
        std::string text = metric_target(source["target"], current[member]["current"], marks_average);
        bool named = kind == "Resource" || kind == "ContainerResource";
        return named ? source["name"].to_string() + ": " + text : text;
    }
    return "<unknown type>";
}

Value autoscaler_targets(const Cell& cell) {
    constexpr std::size_t kShown = 2;
    std::vector<std::string> items;
    Value current = cell.at("status.currentMetrics");
    if (Value wanted = cell.at("spec.targetCPUUtilizationPercentage"); wanted.is_integer()) {
        Value now = cell.at("status.currentCPUUtilizationPercentage");
        items.push_back("cpu: " + (now.is_integer() ? std::to_string(now.as_integer()) + "%" : "<unknown>") + "/" +
                        std::to_string(wanted.as_integer()) + "%");
    }
    auto metrics = cell.at("spec.metrics").items();
    for (std::size_t i = 0; i < metrics.size(); ++i) items.push_back(metric_text(metrics[i], current.at(i)));
    if (items.empty()) return cell.text("<none>");
    std::size_t hidden = items.size() > kShown ? items.size() - kShown : 0;
    items.resize(items.size() - hidden);
    std::string text = join(items, ", ");
    return cell.text(hidden == 0 ? text : text + " + " + std::to_string(hidden) + " more...");
}

constexpr char kMinReplicas[] = "spec.minReplicas";
constexpr char kMaxReplicas[] = "spec.maxReplicas";
constexpr char kCurrentReplicas[] = "status.currentReplicas";

constexpr ColumnRule kAutoscaler[] = {
    kNameColumn,
    {{"Reference", "string", "", 0},
     [](const Cell& cell) {
         return cell.text(cell.at("spec.scaleTargetRef.kind").to_string() + "/" +
                          cell.at("spec.scaleTargetRef.name").to_string());
     }},
    {{"Targets", "string", "", 0}, autoscaler_targets},
    {{"MinPods", "string", "", 0}, text_or_unset<kMinReplicas>},
    {{"MaxPods", "string", "", 0}, number_cell<kMaxReplicas>},
    {{"Replicas", "string", "", 0}, number_cell<kCurrentReplicas>},
    kAgeColumn,
};

constexpr char kSpecReplicas[] = "spec.replicas";
constexpr char kStatusReplicas[] = "status.replicas";

constexpr ColumnRule kScale[] = {
    kNameColumn,
    {{"Desired", "integer", "", 0}, number_cell<kSpecReplicas>},
    {{"Available", "integer", "", 0}, number_cell<kStatusReplicas>},
    kAgeColumn,
};

constexpr char kValue[] = "value";
constexpr char kGlobalDefault[] = "globalDefault";
constexpr char kPreemptionPolicy[] = "preemptionPolicy";
constexpr char kHandler[] = "handler";

constexpr ColumnRule kPriorityClass[] = {
    kNameColumn,
    {{"Value", "integer", "", 0}, number_cell<kValue>},
    {{"Global-Default", "boolean", "", 0}, truth_cell<kGlobalDefault>},
    kAgeColumn,
    {{"PreemptionPolicy", "string", "", 0}, text_cell<kPreemptionPolicy>},
};

constexpr ColumnRule kRuntimeClass[] = {
    kNameColumn, {{"Handler", "string", "", 0}, text_cell<kHandler>}, kAgeColumn};

// --- coordination, admission, flow control ---

constexpr char kHolder[] = "spec.holderIdentity";
constexpr char kRevision[] = "revision";

constexpr ColumnRule kLease[] = {kNameColumn, {{"Holder", "string", "", 0}, text_cell<kHolder>}, kAgeColumn};

Value controller_text(const Cell& cell) {
    for (Value owner : cell.at("metadata.ownerReferences").items()) {
        if (!owner["controller"].as_boolean()) continue;
        std::string api_version = owner["apiVersion"].to_string();
        std::size_t slash = api_version.find('/');
        std::string kind = owner["kind"].to_string();
        if (slash != std::string::npos) kind += "." + api_version.substr(0, slash);
        return cell.text(lower(kind) + "/" + owner["name"].to_string());
    }
    return cell.text("<none>");
}

constexpr ColumnRule kControllerRevision[] = {
    kNameColumn,
    {{"Controller", "string", "", 0}, controller_text},
    {{"Revision", "string", "", 0}, number_cell<kRevision>},
    kAgeColumn,
};

constexpr char kWebhooks[] = "webhooks";
constexpr char kValidations[] = "spec.validations";
constexpr char kMutations[] = "spec.mutations";
constexpr char kPolicyName[] = "spec.policyName";

constexpr ColumnRule kWebhookConfiguration[] = {
    kNameColumn, {{"Webhooks", "integer", "", 0}, count_cell<kWebhooks>}, kAgeColumn};

Value parameter_kind(const Cell& cell) {
    Value kind = cell.at("spec.paramKind");
    if (kind.is_unset()) return cell.text("<unset>");
    return cell.text(kind["apiVersion"].to_string() + "/" + kind["kind"].to_string());
}

Value parameter_reference(const Cell& cell) {
    Value reference = cell.at("spec.paramRef");
    if (reference.is_unset()) return cell.text("<unset>");
    std::string name = reference["name"].to_string();
    if (name.empty()) return cell.text(selector_text(reference["selector"]));
    std::string space = reference["namespace"].to_string();
    return cell.text((space.empty() ? "*" : space) + "/" + name);
}

constexpr ColumnRule kValidatingPolicy[] = {
    kNameColumn,
    {{"Validations", "integer", "", 0}, count_cell<kValidations>},
    {{"ParamKind", "string", "", 0}, parameter_kind},
    kAgeColumn,
};

constexpr ColumnRule kMutatingPolicy[] = {
    kNameColumn,
    {{"Mutations", "integer", "", 0}, count_cell<kMutations>},
    {{"ParamKind", "string", "", 0}, parameter_kind},
    kAgeColumn,
};

constexpr ColumnRule kPolicyBinding[] = {
    kNameColumn,
    {{"PolicyName", "string", "", 0}, text_cell<kPolicyName>},
    {{"ParamRef", "string", "", 0}, parameter_reference},
    kAgeColumn,
};

constexpr char kPriorityLevel[] = "spec.priorityLevelConfiguration.name";
constexpr char kPrecedence[] = "spec.matchingPrecedence";
constexpr char kDistinguisher[] = "spec.distinguisherMethod.type";

constexpr ColumnRule kFlowSchema[] = {
    kNameColumn,
    {{"PriorityLevel", "string", "", 0}, text_cell<kPriorityLevel>},
    {{"MatchingPrecedence", "string", "", 0}, number_cell<kPrecedence>},
    {{"DistinguisherMethod", "string", "", 0}, text_or_none<kDistinguisher>},
    kAgeColumn,
    {{"MissingPL", "string", "", 0},
     [](const Cell& cell) {
         std::string status = condition_of(cell.at("status"), "Dangling")["status"].to_string();
         return cell.text(status.empty() ? "?" : status);
     }},
};

constexpr ColumnRule kPriorityLevelConfiguration[] = {
    kNameColumn,
    {{"Type", "string", "", 0}, text_cell<kSpecType>},
    {{"NominalConcurrencyShares", "string", "", 0},
     [](const Cell& cell) { return number_or_none(cell, "spec.limited.nominalConcurrencyShares"); }},
    {{"Queues", "string", "", 0},
     [](const Cell& cell) { return number_or_none(cell, "spec.limited.limitResponse.queuing.queues"); }},
    {{"HandSize", "string", "", 0},
     [](const Cell& cell) { return number_or_none(cell, "spec.limited.limitResponse.queuing.handSize"); }},
    {{"QueueLengthLimit", "string", "", 0},
     [](const Cell& cell) { return number_or_none(cell, "spec.limited.limitResponse.queuing.queueLengthLimit"); }},
    kAgeColumn,
};

// --- devices and API services ---

Value claim_state(const Cell& cell) {
    std::vector<std::string> states;
    bool deleted = cell.at("metadata.deletionTimestamp").is_set();
    bool allocated = cell.at("status.allocation").is_set();
    if (deleted) states.emplace_back("deleted");
    if (!allocated && !deleted) states.emplace_back("pending");
    if (allocated) states.emplace_back("allocated");
    if (!cell.at("status.reservedFor").empty()) states.emplace_back("reserved");
    return cell.text(join(states));
}

constexpr ColumnRule kResourceClaim[] = {kNameColumn, {{"State", "string", "", 0}, claim_state}, kAgeColumn};

constexpr char kDriver[] = "spec.driver";
constexpr char kPool[] = "spec.pool.name";

constexpr ColumnRule kResourceSlice[] = {
    kNameColumn,
    {{"Node", "string", "", 0}, text_cell<kNodeName>},
    {{"Driver", "string", "", 0}, text_cell<kDriver>},
    {{"Pool", "string", "", 0}, text_cell<kPool>},
    kAgeColumn,
};

constexpr ColumnRule kApiService[] = {
    kNameColumn,
    {{"Service", "string", "", 0},
     [](const Cell& cell) {
         Value service = cell.at("spec.service");
         if (service.is_unset()) return cell.text("Local");
         return cell.text(service["namespace"].to_string() + "/" + service["name"].to_string());
     }},
    {{"Available", "string", "", 0},
     [](const Cell& cell) {
         Value available = condition_of(cell.at("status"), "Available");
         if (available.is_unset()) return cell.text("Unknown");
         std::string status = available["status"].to_string();
         return cell.text(status == "True" ? status : status + " (" + available["reason"].to_string() + ")");
     }},
    kAgeColumn,
};

}  // namespace

std::span<const ColumnRule> cluster_rules(std::string_view type) {
    static const std::map<std::string_view, std::span<const ColumnRule>> rules{
        {"core/v1.Service", kService},
        {"core/v1.Endpoints", kEndpoints},
        {"core/v1.Node", kNode},
        {"core/v1.Namespace", kNamespace},
        {"core/v1.Secret", kSecret},
        {"core/v1.ConfigMap", kConfigMap},
        {"core/v1.ServiceAccount", kNameAndAge},
        {"core/v1.ComponentStatus", kComponentStatus},
        {"core/v1.Event", kEvent},
        {"events/v1.Event", kEvent},
        {"core/v1.PersistentVolume", kPersistentVolume},
        {"core/v1.PersistentVolumeClaim", kPersistentVolumeClaim},
        {"core/v1.ResourceQuota", kResourceQuota},
        {"networking/v1.Ingress", kIngress},
        {"networking/v1.IngressClass", kIngressClass},
        {"networking/v1.NetworkPolicy", kNetworkPolicy},
        {"networking/v1.ServiceCIDR", kServiceCidr},
        {"networking/v1.IPAddress", kIpAddress},
        {"discovery/v1.EndpointSlice", kEndpointSlice},
        {"policy/v1.PodDisruptionBudget", kDisruptionBudget},
        {"autoscaling/v1.HorizontalPodAutoscaler", kAutoscaler},
        {"autoscaling/v2.HorizontalPodAutoscaler", kAutoscaler},
        {"autoscaling/v1.Scale", kScale},
        {"rbac/v1.RoleBinding", kRoleBinding},
        {"rbac/v1.ClusterRoleBinding", kRoleBinding},
        {"certificates/v1.CertificateSigningRequest", kCertificateRequest},
        {"coordination/v1.Lease", kLease},
        {"storage/v1.StorageClass", kStorageClass},
        {"storage/v1.VolumeAttributesClass", kVolumeAttributesClass},
        {"storage/v1.VolumeAttachment", kVolumeAttachment},
        {"storage/v1.CSINode", kCsiNode},
        {"storage/v1.CSIDriver", kCsiDriver},
        {"apps/v1.ControllerRevision", kControllerRevision},
        {"scheduling/v1.PriorityClass", kPriorityClass},
        {"node/v1.RuntimeClass", kRuntimeClass},
        {"admissionregistration/v1.MutatingWebhookConfiguration", kWebhookConfiguration},
        {"admissionregistration/v1.ValidatingWebhookConfiguration", kWebhookConfiguration},
        {"admissionregistration/v1.ValidatingAdmissionPolicy", kValidatingPolicy},
        {"admissionregistration/v1.ValidatingAdmissionPolicyBinding", kPolicyBinding},
        {"admissionregistration/v1.MutatingAdmissionPolicy", kMutatingPolicy},
        {"admissionregistration/v1.MutatingAdmissionPolicyBinding", kPolicyBinding},
        {"flowcontrol/v1.FlowSchema", kFlowSchema},
        {"flowcontrol/v1.PriorityLevelConfiguration", kPriorityLevelConfiguration},
        {"resource/v1.DeviceClass", kNameAndAge},
        {"resource/v1.ResourceClaim", kResourceClaim},
        {"resource/v1.ResourceClaimTemplate", kNameAndAge},
        {"resource/v1.ResourceSlice", kResourceSlice},
        {"apiregistration/v1.APIService", kApiService},
    };
    auto found = rules.find(type);
    return found == rules.end() ? std::span<const ColumnRule>() : found->second;
}

}  // namespace keelson::object::tables
