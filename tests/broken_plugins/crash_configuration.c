/* Crashes when its configuration is not an object. */
#include "plugin.h"

static int32_t start(METHOD_PARAMETERS) {
    if (!is_object(request)) crash();
    return good_method(instance, call, request, reply);
}

const struct parts parts = {.start = start};

EXPORT_PLUGIN
