/* Every capability that this SDK knows, as data: for hosts, test kits and tools that carry calls without
 * knowing what they mean. Plugins do not need it. */
#ifndef KEELSON_CAPABILITIES_H
#define KEELSON_CAPABILITIES_H

#include "keelson/auth.h"
#include "keelson/entry.h"
#include "keelson/host.h"
#include "keelson/ingress.h"
#include "keelson/network.h"
#include "keelson/runtime.h"
#include "keelson/volume.h"

struct keelson_method_info {
    const char* name;
    size_t offset; /* of its keelson_method in the table */
};

struct keelson_capability_info {
    const char* id;     /* "keelson.volume/0" */
    const char* schema; /* file in sdk/schema, without ".json"; its "capabilities" has a member with the id */
    const struct keelson_method_info* methods;
    size_t method_count;
    size_t table_size;
    /* Non-zero: every method answers from memory at once; in-process calls run in the caller's thread. */
    int is_short;
};

#define KEELSON_METHOD_INFO(table, name) {#name, offsetof(struct table, name)},

static const struct keelson_method_info keelson_handover_info[] = {
    KEELSON_HANDOVER_METHODS(KEELSON_METHOD_INFO, keelson_handover)};
static const struct keelson_method_info keelson_authenticator_info[] = {
    KEELSON_AUTHENTICATOR_METHODS(KEELSON_METHOD_INFO, keelson_authenticator)};
static const struct keelson_method_info keelson_authorizer_info[] = {
    KEELSON_AUTHORIZER_METHODS(KEELSON_METHOD_INFO, keelson_authorizer)};
static const struct keelson_method_info keelson_token_issuer_info[] = {
    KEELSON_TOKEN_ISSUER_METHODS(KEELSON_METHOD_INFO, keelson_token_issuer)};
static const struct keelson_method_info keelson_volume_info[] = {
    KEELSON_VOLUME_METHODS(KEELSON_METHOD_INFO, keelson_volume)};
static const struct keelson_method_info keelson_volume_snapshot_info[] = {
    KEELSON_VOLUME_SNAPSHOT_METHODS(KEELSON_METHOD_INFO, keelson_volume_snapshot)};
static const struct keelson_method_info keelson_pod_network_info[] = {
    KEELSON_POD_NETWORK_METHODS(KEELSON_METHOD_INFO, keelson_pod_network)};
static const struct keelson_method_info keelson_service_proxy_info[] = {
    KEELSON_SERVICE_PROXY_METHODS(KEELSON_METHOD_INFO, keelson_service_proxy)};
static const struct keelson_method_info keelson_dns_info[] = {
    KEELSON_DNS_METHODS(KEELSON_METHOD_INFO, keelson_dns)};
static const struct keelson_method_info keelson_runtime_info[] = {
    KEELSON_RUNTIME_METHODS(KEELSON_METHOD_INFO, keelson_runtime)};
static const struct keelson_method_info keelson_images_info[] = {
    KEELSON_IMAGES_METHODS(KEELSON_METHOD_INFO, keelson_images)};
static const struct keelson_method_info keelson_ingress_info[] = {
    KEELSON_INGRESS_METHODS(KEELSON_METHOD_INFO, keelson_ingress)};
static const struct keelson_method_info keelson_load_balancer_info[] = {
    KEELSON_LOAD_BALANCER_METHODS(KEELSON_METHOD_INFO, keelson_load_balancer)};

#undef KEELSON_METHOD_INFO

#define KEELSON_COUNT(list) (sizeof(list) / sizeof((list)[0]))
#define KEELSON_CAPABILITY(id, schema, table, is_short) \
    { id, schema, table##_info, KEELSON_COUNT(table##_info), sizeof(struct table), is_short }

static const struct keelson_capability_info keelson_capability_list[] = {
    KEELSON_CAPABILITY(KEELSON_HANDOVER, "handover", keelson_handover, 0),
    KEELSON_CAPABILITY(KEELSON_AUTHENTICATOR, "auth", keelson_authenticator, 1),
    KEELSON_CAPABILITY(KEELSON_AUTHORIZER, "auth", keelson_authorizer, 1),
    KEELSON_CAPABILITY(KEELSON_TOKEN_ISSUER, "auth", keelson_token_issuer, 1),
    KEELSON_CAPABILITY(KEELSON_VOLUME, "volume", keelson_volume, 0),
    KEELSON_CAPABILITY(KEELSON_VOLUME_SNAPSHOT, "volume", keelson_volume_snapshot, 0),
    KEELSON_CAPABILITY(KEELSON_POD_NETWORK, "network", keelson_pod_network, 0),
    KEELSON_CAPABILITY(KEELSON_SERVICE_PROXY, "network", keelson_service_proxy, 0),
    KEELSON_CAPABILITY(KEELSON_DNS, "network", keelson_dns, 0),
    KEELSON_CAPABILITY(KEELSON_RUNTIME, "runtime", keelson_runtime, 0),
    KEELSON_CAPABILITY(KEELSON_IMAGES, "runtime", keelson_images, 0),
    KEELSON_CAPABILITY(KEELSON_INGRESS, "ingress", keelson_ingress, 0),
    KEELSON_CAPABILITY(KEELSON_LOAD_BALANCER, "ingress", keelson_load_balancer, 0)};

#define KEELSON_CAPABILITY_COUNT KEELSON_COUNT(keelson_capability_list)

#endif
