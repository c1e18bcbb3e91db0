/* Crashes in start. */
#include "plugin.h"

static int32_t start(METHOD_PARAMETERS) {
    crash();
    return good_method(instance, call, request, reply);
}

const struct parts parts = {.start = start};

EXPORT_PLUGIN
