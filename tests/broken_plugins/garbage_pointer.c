/* Has a method that is no function. */
#include "plugin.h"

static const void* capability(MAYBE_UNUSED void* self, const char* id) {
    static struct keelson_volume table;
    table.struct_size = sizeof table;
    memset(&table.create, 0x5a, sizeof table.create);
    return strcmp(id, KEELSON_VOLUME) == 0 ? &table : NULL;
}

const struct parts parts = {.capability = capability};

EXPORT_PLUGIN
