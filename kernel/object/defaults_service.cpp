#include "kernel/object/defaults_parts.h"

namespace keelson::object::defaults {

void service(Value object, Arena& arena) {
    Value spec = object.child_map(arena, "spec");
    set_text(spec, arena, "sessionAffinity", "None");
    if (spec["sessionAffinity"].as_string() == "None") spec.erase("sessionAffinityConfig");
    if (spec["sessionAffinity"].as_string() == "ClientIP") {
        Value client = spec.child_map(arena, "sessionAffinityConfig").child_map(arena, "clientIP");
        set_absent(client, arena, "timeoutSeconds", Value::integer(10800));
    }
    set_text(spec, arena, "type", "ClusterIP");
    for (Value port : spec["ports"].items()) {
        set_text(port, arena, "protocol", "TCP");
        Value target = port["targetPort"];
        bool unset = target.is_string() ? target.as_string().empty() : target.as_integer() == 0;
        if (unset) port.set(arena, "targetPort", Value::integer(port["port"].as_integer()));
    }
    std::string_view type = spec["type"].as_string();
    bool node_port = type == "NodePort" || type == "LoadBalancer";
    bool external = node_port || (type == "ClusterIP" && !spec["externalIPs"].empty());
    if (external) set_text(spec, arena, "externalTrafficPolicy", "Cluster");
    if (node_port || type == "ClusterIP")
        set_absent(spec, arena, "internalTrafficPolicy", Value::reference("Cluster"));
    if (type == "LoadBalancer") {
        set_absent(spec, arena, "allocateLoadBalancerNodePorts", Value::boolean(true));
        for (Value ingress : object.path({"status", "loadBalancer", "ingress"}).items())
            if (!ingress["ip"].as_string().empty())
                set_absent(ingress, arena, "ipMode", Value::reference("VIP"));
    }
}

}  // namespace keelson::object::defaults
