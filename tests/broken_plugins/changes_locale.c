/* Changes the locale. */
#include <locale.h>

#include "plugin.h"

static int32_t start(METHOD_PARAMETERS) {
    setlocale(LC_ALL, "C.UTF-8");
    return good_method(instance, call, request, reply);
}

const struct parts parts = {.start = start};

EXPORT_PLUGIN
