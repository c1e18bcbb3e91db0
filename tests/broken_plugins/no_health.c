/* Does not say whether it is healthy. */
#include "plugin.h"

static int32_t health(METHOD_PARAMETERS) {
    return answer(reply, KEELSON_OK, "{\"status\": \"fine\"}");
}

const struct parts parts = {.health = health};

EXPORT_PLUGIN
