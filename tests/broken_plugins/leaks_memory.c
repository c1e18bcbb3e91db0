/* Leaves a quarter of a megabyte behind for every instance. */
#include "plugin.h"

static int32_t stop(METHOD_PARAMETERS) {
    char* volatile memory = (char*)malloc(256 << 10);
    for (int i = 0; i < 256 << 10; i += 1024) ((volatile char*)memory)[i] = 1;
    return good_method(instance, call, request, reply);
}

const struct parts parts = {.stop = stop};

EXPORT_PLUGIN
