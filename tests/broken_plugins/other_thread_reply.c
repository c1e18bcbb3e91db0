/* Writes its reply in another thread, and waits for that. */
#include <pthread.h>

#include "plugin.h"

static void* write_reply(void* argument) {
    answer((struct keelson_reply*)argument, KEELSON_OK, "{}");
    return NULL;
}

static int32_t remove_volume(METHOD_PARAMETERS) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, write_reply, reply) != 0) return KEELSON_INTERNAL;
    pthread_join(thread, NULL);
    return KEELSON_OK;
}

const struct parts parts = {.remove = remove_volume};

EXPORT_PLUGIN
