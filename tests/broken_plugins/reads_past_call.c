/* Takes a call for longer than it says. */
#include "plugin.h"

static int32_t remove_volume(METHOD_PARAMETERS) {
    if (*(const void* const volatile*)&call->traceparent == &parts) abort();
    return good_method(instance, call, request, reply);
}

const struct parts parts = {.remove = remove_volume};

EXPORT_PLUGIN
