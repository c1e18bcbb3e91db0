/* Answers a status that does not exist. */
#include "plugin.h"

static int32_t remove_volume(METHOD_PARAMETERS) {
    return answer(reply, 99, "{\"message\": \"number 99\"}");
}

const struct parts parts = {.remove = remove_volume};

EXPORT_PLUGIN
