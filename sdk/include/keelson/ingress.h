/* Traffic from outside, by host and path. Documents: sdk/schema/ingress.json. */
#ifndef KEELSON_INGRESS_H
#define KEELSON_INGRESS_H

#include "keelson/entry.h"

#ifdef __cplusplus
extern "C" {
#endif

#define KEELSON_INGRESS "keelson.ingress/0"
struct keelson_ingress {
    uint32_t struct_size;
    /* {"generation", "full", "set": [{"id", "host"?, "path", "pathType":
     * "Exact"|"Prefix"|"ImplementationSpecific", "backends": [{"address", "port"}], "tls"?: {"certificate",
     * "privateKey"}, "annotations"?: {}}], "removed": ["id"]}
     * -> {"generation", "refused"?: [{"id", "message"}]} */
    keelson_method apply;
    /* {} -> {"generation", "addresses": [{"ip"} | {"hostname"}], "ports": [80, 443]} */
    keelson_method state;
};
#define KEELSON_INGRESS_METHODS(X, T) X(T, apply) X(T, state)

/* Gives a Service of type LoadBalancer its address. */
#define KEELSON_LOAD_BALANCER "keelson.ingress.load-balancer/0"
struct keelson_load_balancer {
    uint32_t struct_size;
    /* {"service": the Service, "nodes": [{"name", "addresses": []}]}
     * -> {"ingress": [{"ip"?, "hostname"?, "ipMode"?, "ports"?}]} */
    keelson_method ensure;
    keelson_method remove; /* {"service": {"namespace", "name", "uid"}} -> {} */
};
#define KEELSON_LOAD_BALANCER_METHODS(X, T) X(T, ensure) X(T, remove)

#ifdef __cplusplus
}
#endif
#endif
