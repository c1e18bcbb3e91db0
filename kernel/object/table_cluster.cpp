// Table columns of services, networking, nodes, configuration and events.
#include <algorithm>
#include <cctype>
#include <map>
#include <set>
#include <string>

#include "kernel/object/table_cells.h"
#include "kernel/object/table_templates.h"
#include "kernel/object/time_format.h"

namespace keelson::object::tables {
namespace {

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
    if (type == "ClusterIP" || type == "NodePort")
        return cell.text(external.empty() ? "<none>" : join(external));
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
    {{"Selector", "string", "", 1},
     [](const Cell& cell) { return cell.text(labels_text(cell.at("spec.selector"))); }},
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

constexpr char kController[] = "spec.controller";

constexpr ColumnRule kIngressClass[] = {
    {{"Name", "string", "name", 0},
     [](const Cell& cell) {
         return name_with_default(cell, {"ingressclass.kubernetes.io/is-default-class"});
     }},
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

constexpr ColumnRule kEndpoints[] = {
    kNameColumn, {{"Endpoints", "string", "", 0}, endpoints_text}, kAgeColumn};

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
    {{"CIDRs", "string", "", 0},
     [](const Cell& cell) { return cell.text(join(each_text(cell.at("spec.cidrs"), ""))); }},
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
    std::string text = ready.is_unset()                        ? "Unknown"
                       : ready["status"].as_string() == "True" ? "Ready"
                                                               : "NotReady";
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

constexpr ColumnRule kNamespace[] = {
    kNameColumn, {{"Status", "string", "", 0}, text_cell<kPhase>}, kAgeColumn};

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
         return Value::integer(
             static_cast<std::int64_t>(cell.at("data").size() + cell.at("binaryData").size()));
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
    if (Value series = cell.at("series"); series.is_set())
        return Value::integer(series["count"].as_integer());
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
     [](const Cell& cell) {
         return cell.text(either(cell, "involvedObject", "regarding")["fieldPath"].as_string());
     }},
    {{"Source", "string", "", 1}, event_source},
    {{"Message", "string", "", 0}, event_message},
    {{"First Seen", "string", "", 1}, [](const Cell& cell) { return cell.text(cell.age(first_seen(cell))); }},
    {{"Count", "string", "", 1}, event_count},
    {{"Name", "string", "name", 1}, name_cell},
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
        {"networking/v1.Ingress", kIngress},
        {"networking/v1.IngressClass", kIngressClass},
        {"networking/v1.NetworkPolicy", kNetworkPolicy},
        {"networking/v1.ServiceCIDR", kServiceCidr},
        {"networking/v1.IPAddress", kIpAddress},
        {"discovery/v1.EndpointSlice", kEndpointSlice},
        {"resource/v1.DeviceClass", kNameAndAge},
        {"resource/v1.ResourceClaimTemplate", kNameAndAge},
    };
    auto found = rules.find(type);
    return found == rules.end() ? std::span<const ColumnRule>() : found->second;
}

}  // namespace keelson::object::tables
