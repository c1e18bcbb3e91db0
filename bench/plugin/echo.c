/* A plugin that answers with its request, and costs nothing else. Once by a short capability, which runs in
 * the caller's thread, and once by one that may take its time. */
#include <keelson/auth.h>
#include <keelson/volume.h>
#include <string.h>

static int32_t echo(void* self, const struct keelson_call* call, struct keelson_bytes request,
                    struct keelson_reply* reply) {
    (void)self;
    (void)call;
    reply->write(reply->context, request.data, request.size);
    return KEELSON_OK;
}

static int32_t nothing(void* self, const struct keelson_call* call, struct keelson_bytes request,
                       struct keelson_reply* reply) {
    (void)self;
    (void)call;
    (void)request;
    reply->write(reply->context, "{}", 2);
    return KEELSON_OK;
}

static int32_t health(void* self, const struct keelson_call* call, struct keelson_bytes request,
                      struct keelson_reply* reply) {
    static const char healthy[] = "{\"healthy\":true}";
    (void)self;
    (void)call;
    (void)request;
    reply->write(reply->context, healthy, sizeof healthy - 1);
    return KEELSON_OK;
}

static const struct keelson_authorizer authorizer = {sizeof authorizer, echo};
static const struct keelson_volume volume = {.struct_size = sizeof volume, .stats = echo};

static const void* capability(void* self, const char* id) {
    (void)self;
    if (strcmp(id, KEELSON_AUTHORIZER) == 0) return &authorizer;
    if (strcmp(id, KEELSON_VOLUME) == 0) return &volume;
    return NULL;
}

static void destroy(void* self) {
    (void)self;
}

static int32_t create(uint32_t abi, const struct keelson_host* host, struct keelson_instance* instance,
                      struct keelson_reply* error) {
    (void)abi;
    (void)host;
    (void)error;
    instance->start = nothing;
    instance->stop = nothing;
    instance->health = health;
    instance->capability = capability;
    instance->destroy = destroy;
    return KEELSON_OK;
}

const struct keelson_entry* keelson_plugin(void) {
    static const struct keelson_entry entry = {
        sizeof entry, KEELSON_ABI_MINIMUM, KEELSON_ABI_MAXIMUM, "dev.keelson.bench-echo", "1.0.0", create};
    return &entry;
}
