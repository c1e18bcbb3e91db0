/* Reads its request when the method has returned. */
#include "plugin.h"

static void* read_late(void* argument) {
    sleep_milliseconds(20);
    if (*(const volatile char*)argument == 'x') crash();
    return NULL;
}

static int32_t remove_volume(METHOD_PARAMETERS) {
    if (request.size > 0 && request.size < 4096) run_detached(read_late, (void*)request.data);
    return good_method(instance, call, request, reply);
}

const struct parts parts = {.remove = remove_volume};

EXPORT_PLUGIN
