/* Needs a function that nobody has. */
#include "plugin.h"

int keelson_nobody_has_this(void);

static int32_t start(METHOD_PARAMETERS) {
    if (keelson_nobody_has_this() != 0) return KEELSON_INTERNAL;
    return good_method(instance, call, request, reply);
}

const struct parts parts = {.start = start};

EXPORT_PLUGIN
