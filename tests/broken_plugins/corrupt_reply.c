/* Answers half a document. */
#include "plugin.h"

static int32_t remove_volume(METHOD_PARAMETERS) {
    return answer(reply, KEELSON_OK, "{\"volume\": ");
}

const struct parts parts = {.remove = remove_volume};

EXPORT_PLUGIN
