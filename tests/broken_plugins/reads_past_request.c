/* Takes a request for a string that ends with a zero byte. */
#include "plugin.h"

static int32_t remove_volume(METHOD_PARAMETERS) {
    if (strlen(request.data) > (1u << 30)) abort();
    return good_method(instance, call, request, reply);
}

const struct parts parts = {.remove = remove_volume};

EXPORT_PLUGIN
