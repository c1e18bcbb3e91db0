/* Closes the descriptors that come with a call. */
#include <unistd.h>

#include "plugin.h"

static int32_t remove_volume(METHOD_PARAMETERS) {
    for (uint32_t i = 0; i < call->descriptor_count; ++i) close(call->descriptors[i]);
    return good_method(instance, call, request, reply);
}

const struct parts parts = {.remove = remove_volume};

EXPORT_PLUGIN
