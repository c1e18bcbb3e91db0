/* Fails and does not say why. */
#include "plugin.h"

static int32_t remove_volume(METHOD_PARAMETERS) {
    return answer(reply, KEELSON_NOT_FOUND, "{}");
}

const struct parts parts = {.remove = remove_volume};

EXPORT_PLUGIN
