// Traffic from outside, as structs. What the methods have to do is said in ingress.h.
#ifndef KEELSON_INGRESS_HPP
#define KEELSON_INGRESS_HPP

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "keelson/ingress.h"
#include "keelson/plugin.hpp"

namespace keelson {

struct IngressPlugin {};
struct LoadBalancerPlugin {};

namespace ingress {

struct Backend {
    std::string address;
    std::int32_t port = 0;
    KEELSON_FIELDS(field.required("address", self.address).required("port", self.port))
};

struct Tls {
    std::string certificate;
    std::string private_key;
    KEELSON_FIELDS(field.required("certificate", self.certificate).required("privateKey", self.private_key))
};

struct Rule {
    std::string id;
    std::string host;
    std::string path;
    std::string path_type;  // "Exact", "Prefix", "ImplementationSpecific"
    std::vector<Backend> backends;
    std::optional<Tls> tls;
    Labels annotations;
    KEELSON_FIELDS(field.required("id", self.id)
                       .optional("host", self.host)
                       .required("path", self.path)
                       .required("pathType", self.path_type)
                       .required("backends", self.backends)
                       .optional("tls", self.tls)
                       .optional("annotations", self.annotations))
};

struct Refusal {
    std::string id;
    std::string message;
    KEELSON_FIELDS(field.required("id", self.id).required("message", self.message))
};

struct Address {
    std::string ip;
    std::string hostname;
    KEELSON_FIELDS(field.optional("ip", self.ip).optional("hostname", self.hostname))
};

struct Apply {
    std::int64_t generation = 0;
    bool full = false;
    std::vector<Rule> set;
    std::vector<std::string> removed;
    KEELSON_FIELDS(field.required("generation", self.generation)
                       .required("full", self.full)
                       .required("set", self.set)
                       .required("removed", self.removed))
};

struct Applied {
    std::int64_t generation = 0;
    std::vector<Refusal> refused;
    KEELSON_FIELDS(field.required("generation", self.generation).optional("refused", self.refused))
};

struct StateRequest {
    KEELSON_FIELDS()
};

struct State {
    std::int64_t generation = 0;
    std::vector<Address> addresses;
    std::vector<std::int32_t> ports;
    KEELSON_FIELDS(field.required("generation", self.generation)
                       .required("addresses", self.addresses)
                       .required("ports", self.ports))
};

namespace methods {
KEELSON_DETAIL_SLOT(apply, Apply, Applied)
KEELSON_DETAIL_SLOT(state, StateRequest, State)
}  // namespace methods
}  // namespace ingress

namespace load_balancer {

struct Node {
    std::string name;
    std::vector<std::string> addresses;
    KEELSON_FIELDS(field.required("name", self.name).required("addresses", self.addresses))
};

struct ServiceName {
    std::string namespace_;
    std::string name;
    std::string uid;
    KEELSON_FIELDS(
        field.required("namespace", self.namespace_).required("name", self.name).required("uid", self.uid))
};

struct Ingress {
    std::string ip;
    std::string hostname;
    std::string ip_mode;
    std::vector<Json> ports;
    KEELSON_FIELDS(field.optional("ip", self.ip)
                       .optional("hostname", self.hostname)
                       .optional("ipMode", self.ip_mode)
                       .optional("ports", self.ports))
};

struct Ensure {
    Json service;
    std::vector<Node> nodes;
    KEELSON_FIELDS(field.required("service", self.service).required("nodes", self.nodes))
};

struct Ensured {
    std::vector<Ingress> ingress;
    KEELSON_FIELDS(field.required("ingress", self.ingress))
};

struct Remove {
    ServiceName service;
    KEELSON_FIELDS(field.required("service", self.service))
};

namespace methods {
KEELSON_DETAIL_SLOT(ensure, Ensure, Ensured)
KEELSON_DETAIL_SLOT(remove, Remove, Empty)
}  // namespace methods
}  // namespace load_balancer

KEELSON_DETAIL_BIND(IngressPlugin, KEELSON_INGRESS, keelson_ingress, KEELSON_INGRESS_METHODS,
                    ingress::methods)
KEELSON_DETAIL_BIND(LoadBalancerPlugin, KEELSON_LOAD_BALANCER, keelson_load_balancer,
                    KEELSON_LOAD_BALANCER_METHODS, load_balancer::methods)

}  // namespace keelson

#endif
