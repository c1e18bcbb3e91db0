/* Exports more than its entry. */
#include "plugin.h"

KEELSON_EXPORT int broken_helper(void);
int broken_helper(void) {
    return 1;
}

KEELSON_EXPORT int broken_variable;
int broken_variable = 1;

const struct parts parts = {0};

EXPORT_PLUGIN
