/* Writes to standard output. */
#include <stdio.h>

#include "plugin.h"

static int32_t start(METHOD_PARAMETERS) {
    puts("hello, world");
    return good_method(instance, call, request, reply);
}

const struct parts parts = {.start = start};

EXPORT_PLUGIN
