/* The network of pods, and the way from a Service's address to them. Documents: sdk/schema/network.json. */
#ifndef KEELSON_NETWORK_H
#define KEELSON_NETWORK_H

#include "keelson/entry.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Connects sandboxes. Idempotent by "sandboxId"; detaching what is not attached is KEELSON_OK. */
#define KEELSON_POD_NETWORK "keelson.network.pod/0"
struct keelson_pod_network {
    uint32_t struct_size;
    /* {"node": {"name", "addresses": [], "podCidrs": []}, "peers": [the same of other nodes], "mtu"?,
     * "clusterCidrs"?: []} -> {}: called before the first attach and after every change. What pods send to
     * other addresses than those of the cluster and of its nodes leaves with the node's address. */
    keelson_method configure;
    /* {"sandboxId", "pod": {"name", "namespace", "uid"}, "hostPorts": [{"protocol", "hostPort",
     * "containerPort", "hostIP"?}], "bandwidth"?: {"ingressBitsPerSecond"?, "egressBitsPerSecond"?}}, with a
     * descriptor of the sandbox's network namespace -> {"addresses": ["10.0.0.5/24", ...], "gateway"?,
     * "mtu"?} */
    keelson_method attach;
    /* {"sandboxId"} -> {}; the namespace may be gone already */
    keelson_method detach;
    /* {} -> {"sandboxes": [{"sandboxId", "addresses": []}]}: what is attached, for cleaning up after a crash
     */
    keelson_method list;
};
#define KEELSON_POD_NETWORK_METHODS(X, T) X(T, configure) X(T, attach) X(T, detach) X(T, list)

/* Carries traffic for service addresses to their backends. One is active on a node. What it has put into the
 * system goes on when the plugin or the kernel stops. Addresses are plain ("10.0.0.5", "fd00::5"). */
#define KEELSON_SERVICE_PROXY "keelson.network.proxy/0"
struct keelson_service_proxy {
    uint32_t struct_size;
    /* {"node": {"name", "addresses": [], "podCidrs": []}, "clusterCidrs": [of the pods of all nodes],
     * "nodePortAddresses"?: [CIDRs; node ports are served on all addresses of the node without]} -> {}:
     * called before the first apply and after every change */
    keelson_method configure;
    /* {"generation": 7, "full": false, "more"?: true, "set": [service], "removed": ["id"]}
     *   -> {"generation": 7, "problems"?: [{"id", "message"}]}
     * With "full" the table is exactly `set`, whatever was there before: the plugin finds the difference to
     * what the system holds and leaves untouched what is right already. With "more" nothing is done yet: the
     * next apply has the same generation and goes on with the same change. When the call fails, the table is
     * the old one or the new one for every service, and the kernel sends a full one next. What stands in the
     * way of single services (a port that another program has) is a problem: the others are carried.
     *
     * A service is one address and port: {"id": unique, "name": "namespace/service:port" for people,
     * "address", "port", "protocol": "TCP"|"UDP"|"SCTP", "kind": "ClusterIP"|"NodePort"|"LoadBalancer"|
     * "ExternalIP", "affinitySeconds": 0 or how long a client keeps its backend, "sourceRanges"?: [who may
     * use it; everybody without], "local": false, "backends": [backend], "externalBackends"?: [backend],
     * "none": "reject"|"drop", what happens to packets when there is no backend}. The address of a NodePort
     * is "0.0.0.0" or "::": any of the node's.
     *
     * "local" is for the kinds that come from outside: what comes from other machines goes to
     * "externalBackends" alone and keeps its source address, and is dropped when there are none; what comes
     * from pods of the cluster or from this node goes to "backends". Otherwise everybody gets "backends", and
     * what comes from outside of the cluster gets the node's address as its source, like what a backend sends
     * to its own service.
     *
     * A backend: {"address", "port", "local": on this node, "terminating"?: gets connections because there
     * are no better ones}. */
    keelson_method apply;
    /* {} -> {"generation": 7, "intact": true}: of the last apply that this instance knows of, 0: none; not
     * intact when something that apply has put into the system is no longer there: the kernel sends a full
     * one then. Called every few seconds, so it has to be cheap. */
    keelson_method state;
    /* {} -> {}: takes everything out of the system that apply has put there, by whichever instance */
    keelson_method clear;
};
#define KEELSON_SERVICE_PROXY_METHODS(X, T) X(T, configure) X(T, apply) X(T, state) X(T, clear)

/* Answers DNS questions from records that the kernel makes, and asks others about other names. */
#define KEELSON_DNS "keelson.network.dns/0"
struct keelson_dns {
    uint32_t struct_size;
    /* {"listen": ["192.0.2.10:10053", "[2001:db8::1]:10053"], "zone": "cluster.local", "upstreams":
     * ["192.0.2.53:53"], "podNames": true} -> {}: called before the first apply and after every change. The
     * sockets are for UDP and TCP. With "podNames" 10-0-0-5.NAMESPACE.pod.ZONE is 10.0.0.5. Names outside of
     * the zone are asked of the upstreams, those of addresses (in-addr.arpa, ip6.arpa) only when there is no
     * record for them. */
    keelson_method configure;
    /* {"generation", "full", "more"?, "set": [{"name", "type", "ttlSeconds", "values": []}], "removed":
     * [{"name", "type"}]} -> {"generation"}; "full" and "more" as for the proxy. Names are in lower case
     * without the last dot; values as zone files have them, names in them without the last dot too: "0 100 80
     * web.default.svc.cluster.local" for an SRV. */
    keelson_method apply;
    keelson_method state; /* {} -> {"generation", "addresses": ["192.0.2.10:10053"]}: where it answers */
};
#define KEELSON_DNS_METHODS(X, T) X(T, configure) X(T, apply) X(T, state)

#ifdef __cplusplus
}
#endif
#endif
