/* Answers nothing. */
#include "plugin.h"

static int32_t remove_volume(METHOD_PARAMETERS) {
    return KEELSON_OK;
}

const struct parts parts = {.remove = remove_volume};

EXPORT_PLUGIN
