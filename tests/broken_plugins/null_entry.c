/* Has no entry to give. */
#include "plugin.h"

const struct parts parts = {0};

const struct keelson_entry* keelson_plugin(void) {
    return NULL;
}
