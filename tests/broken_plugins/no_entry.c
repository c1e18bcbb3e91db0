/* Has no entry. */
#include "plugin.h"

const struct parts parts = {0};

KEELSON_EXPORT int keelson_plugins(void);
int keelson_plugins(void) {
    return 0;
}
