/* Crashes in destroy. */
#include "plugin.h"

static void destroy(MAYBE_UNUSED void* self) {
    crash();
}

const struct parts parts = {.destroy = destroy};

EXPORT_PLUGIN
