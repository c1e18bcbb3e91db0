/* Says that it has every capability there is. */
#include "plugin.h"

static const void* capability(MAYBE_UNUSED void* self, MAYBE_UNUSED const char* id) {
    return volume_table();
}

const struct parts parts = {.capability = capability};

EXPORT_PLUGIN
