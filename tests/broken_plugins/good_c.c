/* A plugin in C that keeps to everything: volumes that are nothing but names. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keelson/host.h"
#include "keelson/volume.h"

struct state {
    const struct keelson_host* host;
};

static int32_t answer(struct keelson_reply* reply, const char* document) {
    reply->write(reply->context, document, strlen(document));
    return KEELSON_OK;
}

static int32_t refuse(struct keelson_reply* reply, int32_t status, const char* message) {
    char document[256];
    snprintf(document, sizeof document, "{\"message\": \"%s\"}", message);
    answer(reply, document);
    return status;
}

static int is_object(struct keelson_bytes request) {
    return request.size >= 2 && request.data[0] == '{' && request.data[request.size - 1] == '}';
}

static void log_line(const struct keelson_host* host, const char* text) {
    const struct keelson_bytes line = {text, strlen(text)};
    if (KEELSON_HAS_FIELD(host, struct keelson_host, log)) host->log(host->context, KEELSON_LOG_INFO, line);
}

/* The characters of the member "name" that an id may have; empty when there is none. */
static void read_name(struct keelson_bytes request, char* name, size_t capacity) {
    static const char member[] = "\"name\":\"";
    const char* end = request.data + request.size;
    const char* at = memmem(request.data, request.size, member, sizeof member - 1);
    size_t size = 0;
    if (at != NULL) {
        for (at += sizeof member - 1; at < end && size + 1 < capacity; ++at) {
            if (strchr("abcdefghijklmnopqrstuvwxyz0123456789-", *at) == NULL || *at == '\0') break;
            name[size++] = *at;
        }
    }
    name[size] = '\0';
}

static int32_t create_volume(void* instance, const struct keelson_call* call, struct keelson_bytes request,
                             struct keelson_reply* reply) {
    char name[64];
    char document[160];
    (void)instance;
    if (keelson_is_cancelled(call)) return refuse(reply, KEELSON_CANCELLED, "nobody waits for it");
    if (!is_object(request)) return refuse(reply, KEELSON_INVALID, "the request is not an object");
    read_name(request, name, sizeof name);
    if (name[0] == '\0') return refuse(reply, KEELSON_INVALID, "give the volume a name");
    snprintf(document, sizeof document, "{\"volumeId\": \"good-%s\", \"capacityBytes\": 1048576}", name);
    return answer(reply, document);
}

static int32_t undo(void* instance, const struct keelson_call* call, struct keelson_bytes request,
                    struct keelson_reply* reply) {
    (void)instance;
    (void)call;
    if (!is_object(request)) return refuse(reply, KEELSON_INVALID, "the request is not an object");
    return answer(reply, "{}");
}

static int32_t node_info(void* instance, const struct keelson_call* call, struct keelson_bytes request,
                         struct keelson_reply* reply) {
    (void)instance;
    (void)call;
    (void)request;
    return answer(reply, "{\"maximumVolumes\": 100}");
}

static const struct keelson_volume volume = {.struct_size = sizeof volume,
                                             .create = create_volume,
                                             .remove = undo,
                                             .unpublish = undo,
                                             .node_info = node_info};

static int32_t start(void* instance, const struct keelson_call* call, struct keelson_bytes request,
                     struct keelson_reply* reply) {
    (void)call;
    if (!is_object(request)) return refuse(reply, KEELSON_INVALID, "the configuration is not an object");
    log_line(((struct state*)instance)->host, "volumes of names are ready");
    return answer(reply, "{}");
}

static int32_t stop(void* instance, const struct keelson_call* call, struct keelson_bytes request,
                    struct keelson_reply* reply) {
    (void)instance;
    (void)call;
    (void)request;
    return answer(reply, "{}");
}

static int32_t health(void* instance, const struct keelson_call* call, struct keelson_bytes request,
                      struct keelson_reply* reply) {
    (void)instance;
    (void)call;
    (void)request;
    return answer(reply, "{\"healthy\": true}");
}

static const void* capability(void* self, const char* id) {
    (void)self;
    return strcmp(id, KEELSON_VOLUME) == 0 ? &volume : NULL;
}

static int32_t create(uint32_t abi, const struct keelson_host* host, struct keelson_instance* instance,
                      struct keelson_reply* error) {
    struct state* state;
    if (abi != 1) return refuse(error, KEELSON_UNSUPPORTED, "this plugin speaks ABI 1");
    state = calloc(1, sizeof *state);
    if (state == NULL) return refuse(error, KEELSON_EXHAUSTED, "no memory");
    state->host = host;
    *instance = (struct keelson_instance){sizeof *instance, state, start, stop, health, capability, free};
    return KEELSON_OK;
}

static const struct keelson_entry entry = {sizeof entry, 1, 1, "com.example.good-c", "1.0.0", create};

const struct keelson_entry* keelson_plugin(void) {
    return &entry;
}
