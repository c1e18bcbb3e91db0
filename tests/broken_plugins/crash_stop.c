/* Crashes in stop. */
#include "plugin.h"

static int32_t stop(METHOD_PARAMETERS) {
    crash();
    return good_method(instance, call, request, reply);
}

const struct parts parts = {.stop = stop};

EXPORT_PLUGIN
