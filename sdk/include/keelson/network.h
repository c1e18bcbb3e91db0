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

/* Carries traffic for service addresses to their backends. One is active on a node. */
#define KEELSON_SERVICE_PROXY "keelson.network.proxy/0"
struct keelson_service_proxy {
    uint32_t struct_size;
    /* {"generation": 7, "full": false, "set": [service], "removed": ["id"]} -> {"generation": 7}. With "full"
     * the table is exactly `set`, whatever was there before: the plugin finds the difference to what the
     * system holds and leaves untouched what is right already. When it fails, the table is the old one or the
     * new one for every service, and the kernel sends a full one next. A service: {"id", "address", "port",
     * "protocol": "TCP"|"UDP"|"SCTP", "kind": "ClusterIP"|"NodePort"|"LoadBalancer"|"ExternalIP",
     * "affinitySeconds": 0, "sourceRanges"?: [], "local": false, "backends": [{"address", "port", "local":
     * true, "terminating"?: true}], "reject"?: true} */
    keelson_method apply;
    /* {} -> {"generation": 7}: of the last apply that this instance knows of; 0: none */
    keelson_method state;
    /* {} -> {}: takes everything out of the system that apply has put there */
    keelson_method clear;
};
#define KEELSON_SERVICE_PROXY_METHODS(X, T) X(T, apply) X(T, state) X(T, clear)

/* Answers DNS questions from records that the kernel makes. */
#define KEELSON_DNS "keelson.network.dns/0"
struct keelson_dns {
    uint32_t struct_size;
    /* {"generation", "full", "zone": "cluster.local", "set": [{"name", "type", "ttlSeconds", "values": []}],
     *  "removed": [{"name", "type"}]} -> {"generation"} */
    keelson_method apply;
    keelson_method state; /* {} -> {"generation", "addresses": ["10.96.0.10:53"]} */
};
#define KEELSON_DNS_METHODS(X, T) X(T, apply) X(T, state)

#ifdef __cplusplus
}
#endif
#endif
