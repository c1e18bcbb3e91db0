/* Fails to remove what is not there. */
#include "plugin.h"

static int32_t remove_volume(METHOD_PARAMETERS) {
    return answer(reply, KEELSON_NOT_FOUND, "{\"message\": \"no such volume\"}");
}

const struct parts parts = {.remove = remove_volume};

EXPORT_PLUGIN
