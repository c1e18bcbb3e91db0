/* Answers two documents. */
#include "plugin.h"

static int32_t remove_volume(METHOD_PARAMETERS) {
    answer(reply, KEELSON_OK, "{}");
    return answer(reply, KEELSON_OK, "{}");
}

const struct parts parts = {.remove = remove_volume};

EXPORT_PLUGIN
