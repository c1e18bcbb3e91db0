/* Writes to its reply when the method has returned. */
#include "plugin.h"

static void* write_late(void* argument) {
    struct keelson_reply* reply = (struct keelson_reply*)argument;
    sleep_milliseconds(20);
    reply->write(reply->context, "{}", 2);
    free(reply);
    return NULL;
}

static int32_t remove_volume(METHOD_PARAMETERS) {
    struct keelson_reply* copy = (struct keelson_reply*)malloc(sizeof *copy);
    copy->context = reply->context;
    copy->write = reply->write;
    run_detached(write_late, copy);
    return good_method(instance, call, request, reply);
}

const struct parts parts = {.remove = remove_volume};

EXPORT_PLUGIN
