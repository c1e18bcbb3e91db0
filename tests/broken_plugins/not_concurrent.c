/* Falls over when two calls run beside each other. */
#include "plugin.h"

static int32_t remove_volume(METHOD_PARAMETERS) {
    static int inside;
    if (__atomic_add_fetch(&inside, 1, __ATOMIC_RELAXED) > 1) abort();
    sleep_milliseconds(1);
    __atomic_sub_fetch(&inside, 1, __ATOMIC_RELAXED);
    return good_method(instance, call, request, reply);
}

const struct parts parts = {.remove = remove_volume};

EXPORT_PLUGIN
