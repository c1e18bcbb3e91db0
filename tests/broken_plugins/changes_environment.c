/* Changes the environment. */
#include "plugin.h"

static int32_t start(METHOD_PARAMETERS) {
    setenv("KEELSON_BROKEN", "yes", 1);
    return good_method(instance, call, request, reply);
}

const struct parts parts = {.start = start};

EXPORT_PLUGIN
