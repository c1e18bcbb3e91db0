/* Has an id that cannot be one. */
#include "plugin.h"

const struct parts parts = {0};

static const struct keelson_entry entry = {sizeof entry, 1, 1, "My Disk!", "1.0.0", plugin_create};

const struct keelson_entry* keelson_plugin(void) {
    return &entry;
}
