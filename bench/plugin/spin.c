/* A plugin that has gone wrong: as long as it runs, two of its threads do nothing but turn in a loop. It
 * answers for its health all the same, so that nobody ends it. */
#include <keelson/volume.h>
#include <pthread.h>
#include <string.h>

enum { thread_count = 2 };

static pthread_t threads[thread_count];
static volatile int is_over;
static volatile unsigned long turns;

static void* turn(void* nothing) {
    (void)nothing;
    while (!is_over) turns = turns + 1;
    return NULL;
}

static int32_t answer(struct keelson_reply* reply, const char* text) {
    reply->write(reply->context, text, strlen(text));
    return KEELSON_OK;
}

static int32_t start(void* self, const struct keelson_call* call, struct keelson_bytes request,
                     struct keelson_reply* reply) {
    (void)self;
    (void)call;
    (void)request;
    for (int i = 0; i < thread_count; ++i)
        if (pthread_create(&threads[i], NULL, turn, NULL) != 0) return KEELSON_INTERNAL;
    return answer(reply, "{}");
}

static int32_t stop(void* self, const struct keelson_call* call, struct keelson_bytes request,
                    struct keelson_reply* reply) {
    (void)self;
    (void)call;
    (void)request;
    is_over = 1;
    for (int i = 0; i < thread_count; ++i) pthread_join(threads[i], NULL);
    return answer(reply, "{}");
}

static int32_t health(void* self, const struct keelson_call* call, struct keelson_bytes request,
                      struct keelson_reply* reply) {
    (void)self;
    (void)call;
    (void)request;
    return answer(reply, "{\"healthy\":true}");
}

static const struct keelson_volume volume = {.struct_size = sizeof volume};

static const void* capability(void* self, const char* id) {
    (void)self;
    return strcmp(id, KEELSON_VOLUME) == 0 ? &volume : NULL;
}

static void destroy(void* self) {
    (void)self;
}

static int32_t create(uint32_t abi, const struct keelson_host* host, struct keelson_instance* instance,
                      struct keelson_reply* error) {
    (void)abi;
    (void)host;
    (void)error;
    instance->start = start;
    instance->stop = stop;
    instance->health = health;
    instance->capability = capability;
    instance->destroy = destroy;
    return KEELSON_OK;
}

const struct keelson_entry* keelson_plugin(void) {
    static const struct keelson_entry entry = {
        sizeof entry, KEELSON_ABI_MINIMUM, KEELSON_ABI_MAXIMUM, "dev.keelson.bench-spin", "1.0.0", create};
    return &entry;
}
