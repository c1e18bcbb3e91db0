/* A whole plugin with the capability keelson.volume/0, of which a file replaces some parts by others that are
 * wrong. Such a file defines `parts` (members that are null stay as they are here) and ends with
 * EXPORT_PLUGIN. C99 and C++. */
#ifndef KEELSON_BROKEN_PLUGIN_H
#define KEELSON_BROKEN_PLUGIN_H

#include <stdlib.h>
#include <string.h>

#include "keelson/capabilities.h"
#include "keelson/entry.h"
#include "keelson/host.h"
#include "keelson/volume.h"

#define MAYBE_UNUSED __attribute__((unused))
#define METHOD_PARAMETERS                                                      \
    MAYBE_UNUSED void *instance, MAYBE_UNUSED const struct keelson_call *call, \
        MAYBE_UNUSED struct keelson_bytes request, MAYBE_UNUSED struct keelson_reply *reply

struct parts {
    /* Called first in create; a status other than KEELSON_OK is create's. */
    int32_t (*before_create)(uint32_t abi, const struct keelson_host* host);
    keelson_method start;
    keelson_method stop;
    keelson_method health;
    keelson_method node_info;
    keelson_method remove;
    const void* (*capability)(void* self, const char* id);
    void (*destroy)(void* self);
    int takes_any_abi;
};
extern const struct parts parts;

/* Something for the instance to be. */
struct state {
    const struct keelson_host* host;
};

static MAYBE_UNUSED int32_t answer(struct keelson_reply* reply, int32_t status, const char* document) {
    reply->write(reply->context, document, strlen(document));
    return status;
}

static MAYBE_UNUSED int is_object(struct keelson_bytes request) {
    return request.size >= 2 && request.data[0] == '{' && request.data[request.size - 1] == '}';
}

static MAYBE_UNUSED int contains(struct keelson_bytes request, const char* text) {
    return memmem(request.data, request.size, text, strlen(text)) != NULL;
}

/* An access to memory that is never there. */
static MAYBE_UNUSED void crash(void) {
    volatile uintptr_t nowhere = 64;
    *(volatile int*)nowhere = 1;
}

/* Runs the function in a thread that nobody joins. */
void run_detached(void* (*function)(void*), void* argument);
void sleep_milliseconds(int count);

static MAYBE_UNUSED int32_t good_method(METHOD_PARAMETERS) {
    if (is_object(request)) return answer(reply, KEELSON_OK, "{}");
    return answer(reply, KEELSON_INVALID, "{\"message\": \"the request is not an object\"}");
}

static MAYBE_UNUSED int32_t good_health(METHOD_PARAMETERS) {
    return answer(reply, KEELSON_OK, "{\"healthy\": true}");
}

static inline int32_t plugin_node_info(METHOD_PARAMETERS) {
    return (parts.node_info != NULL ? parts.node_info : good_method)(instance, call, request, reply);
}

static inline int32_t plugin_remove(METHOD_PARAMETERS) {
    return (parts.remove != NULL ? parts.remove : good_method)(instance, call, request, reply);
}

static inline const struct keelson_volume* volume_table(void) {
    static struct keelson_volume table;
    table.struct_size = sizeof table;
    table.remove = plugin_remove;
    table.node_info = plugin_node_info;
    return &table;
}

static inline const void* plugin_capability(MAYBE_UNUSED void* self, const char* id) {
    return strcmp(id, KEELSON_VOLUME) == 0 ? volume_table() : NULL;
}

static inline void plugin_destroy(void* self) {
    if (parts.destroy != NULL) parts.destroy(self);
    free(self);
}

static inline int32_t plugin_create(uint32_t abi, const struct keelson_host* host,
                                    struct keelson_instance* instance, struct keelson_reply* error) {
    struct state* made;
    if (abi != 1 && !parts.takes_any_abi) {
        return answer(error, KEELSON_UNSUPPORTED, "{\"message\": \"this plugin speaks ABI 1\"}");
    }
    if (parts.before_create != NULL && parts.before_create(abi, host) != KEELSON_OK) {
        return answer(error, KEELSON_UNAVAILABLE, "{\"message\": \"not now\"}");
    }
    made = (struct state*)calloc(1, sizeof *made);
    made->host = host;
    instance->struct_size = sizeof *instance;
    instance->self = made;
    instance->start = parts.start != NULL ? parts.start : good_method;
    instance->stop = parts.stop != NULL ? parts.stop : good_method;
    instance->health = parts.health != NULL ? parts.health : good_health;
    instance->capability = parts.capability != NULL ? parts.capability : plugin_capability;
    instance->destroy = plugin_destroy;
    return KEELSON_OK;
}

#define EXPORT_PLUGIN                                                                         \
    static const struct keelson_entry entry = {sizeof entry,         1,       1,              \
                                               "com.example.broken", "1.0.0", plugin_create}; \
    KEELSON_EXPORT const struct keelson_entry* keelson_plugin(void) {                         \
        return &entry;                                                                        \
    }

#endif
