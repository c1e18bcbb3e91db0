// Who is asking, and may they, as structs. What the methods have to do is said in auth.h.
#ifndef KEELSON_AUTH_HPP
#define KEELSON_AUTH_HPP

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "keelson/auth.h"
#include "keelson/plugin.hpp"

namespace keelson {

struct AuthenticatorPlugin {};
struct AuthorizerPlugin {};
struct TokenIssuerPlugin {};

namespace authentication {

struct Certificate {
    std::string common_name;
    std::vector<std::string> organizations;
    std::string uid;
    std::string sha256;
    std::string pem;
    std::string not_after;  // "2026-01-02T03:04:05Z"
    KEELSON_FIELDS(field.required("commonName", self.common_name)
                       .required("organizations", self.organizations)
                       .optional("uid", self.uid)
                       .required("sha256", self.sha256)
                       .required("pem", self.pem)
                       .required("notAfter", self.not_after))
};

struct User {
    std::string username;
    std::string uid;
    std::vector<std::string> groups;
    std::map<std::string, std::vector<std::string>> extra;
    KEELSON_FIELDS(field.required("username", self.username)
                       .optional("uid", self.uid)
                       .required("groups", self.groups)
                       .required("extra", self.extra))
};

struct Authenticate {
    std::string token;
    std::optional<Certificate> certificate;
    std::vector<std::string> audiences;
    KEELSON_FIELDS(field.optional("token", self.token)
                       .optional("certificate", self.certificate)
                       .required("audiences", self.audiences))
};

struct Authenticated {
    bool authenticated = false;
    std::optional<User> user;
    std::vector<std::string> audiences;
    std::string error;
    std::int32_t ttl_seconds = 0;
    KEELSON_FIELDS(field.required("authenticated", self.authenticated)
                       .optional("user", self.user)
                       .optional("audiences", self.audiences)
                       .optional("error", self.error)
                       .defaulted("ttlSeconds", self.ttl_seconds))
};

namespace methods {
KEELSON_DETAIL_SLOT(authenticate, Authenticate, Authenticated)
}  // namespace methods
}  // namespace authentication

namespace authorization {

struct ResourceAttributes {
    std::string namespace_;
    std::string verb;
    std::string group;
    std::string version;
    std::string resource;
    std::string subresource;
    std::string name;
    Json field_selector;
    Json label_selector;
    KEELSON_FIELDS(field.optional("namespace", self.namespace_)
                       .optional("verb", self.verb)
                       .optional("group", self.group)
                       .optional("version", self.version)
                       .optional("resource", self.resource)
                       .optional("subresource", self.subresource)
                       .optional("name", self.name)
                       .optional("fieldSelector", self.field_selector)
                       .optional("labelSelector", self.label_selector))
};

struct NonResourceAttributes {
    std::string path;
    std::string verb;
    KEELSON_FIELDS(field.optional("path", self.path).optional("verb", self.verb))
};

struct Authorize {
    std::string user;
    std::string uid;
    std::vector<std::string> groups;
    std::map<std::string, std::vector<std::string>> extra;
    std::optional<ResourceAttributes> resource_attributes;
    std::optional<NonResourceAttributes> non_resource_attributes;
    KEELSON_FIELDS(field.optional("user", self.user)
                       .optional("uid", self.uid)
                       .optional("groups", self.groups)
                       .optional("extra", self.extra)
                       .optional("resourceAttributes", self.resource_attributes)
                       .optional("nonResourceAttributes", self.non_resource_attributes))
};

struct Decision {
    bool allowed = false;
    bool denied = false;
    std::string reason;
    std::int32_t ttl_seconds = 0;
    KEELSON_FIELDS(field.required("allowed", self.allowed)
                       .optional("denied", self.denied)
                       .optional("reason", self.reason)
                       .optional("ttlSeconds", self.ttl_seconds))
};

namespace methods {
KEELSON_DETAIL_SLOT(authorize, Authorize, Decision)
}  // namespace methods
}  // namespace authorization

namespace token {

struct ServiceAccount {
    std::string namespace_;
    std::string name;
    std::string uid;
    KEELSON_FIELDS(
        field.required("namespace", self.namespace_).required("name", self.name).required("uid", self.uid))
};

struct BoundObject {
    std::string kind;  // "Pod", "Secret", "Node"
    std::string name;
    std::string uid;
    KEELSON_FIELDS(field.required("kind", self.kind).required("name", self.name).required("uid", self.uid))
};

struct Node {
    std::string name;
    std::string uid;
    KEELSON_FIELDS(field.required("name", self.name).required("uid", self.uid))
};

struct Issue {
    ServiceAccount service_account;
    std::vector<std::string> audiences;
    std::int64_t expiration_seconds = 0;
    std::int64_t warn_after_seconds = 0;  // 0: never
    std::optional<BoundObject> bound_object;
    std::optional<Node> node;
    KEELSON_FIELDS(field.required("serviceAccount", self.service_account)
                       .required("audiences", self.audiences)
                       .required("expirationSeconds", self.expiration_seconds)
                       .optional("warnAfterSeconds", self.warn_after_seconds)
                       .optional("boundObject", self.bound_object)
                       .optional("node", self.node))
};

struct Issued {
    std::string token;
    std::string expiration_timestamp;  // "2026-01-02T03:04:05Z"
    KEELSON_FIELDS(
        field.required("token", self.token).required("expirationTimestamp", self.expiration_timestamp))
};

struct KeysRequest {
    KEELSON_FIELDS()
};

struct Keys {
    std::string issuer;
    std::vector<Json> keys;
    KEELSON_FIELDS(field.required("issuer", self.issuer).required("keys", self.keys))
};

namespace methods {
KEELSON_DETAIL_SLOT(issue, Issue, Issued)
KEELSON_DETAIL_SLOT(keys, KeysRequest, Keys)
}  // namespace methods
}  // namespace token

KEELSON_DETAIL_BIND(AuthenticatorPlugin, KEELSON_AUTHENTICATOR, keelson_authenticator,
                    KEELSON_AUTHENTICATOR_METHODS, authentication::methods)
KEELSON_DETAIL_BIND(AuthorizerPlugin, KEELSON_AUTHORIZER, keelson_authorizer, KEELSON_AUTHORIZER_METHODS,
                    authorization::methods)
KEELSON_DETAIL_BIND(TokenIssuerPlugin, KEELSON_TOKEN_ISSUER, keelson_token_issuer,
                    KEELSON_TOKEN_ISSUER_METHODS, token::methods)

}  // namespace keelson

#endif
