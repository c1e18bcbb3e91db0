/* What the host does for a plugin. The table comes with keelson_entry.create and lives as long as the
 * instance. Its functions may be called from any thread, also while a method runs, from create until destroy
 * returns. None of them waits for the kernel, but the methods of keelson_host_objects, which answer when the
 * kernel has. */
#ifndef KEELSON_HOST_H
#define KEELSON_HOST_H

#include "keelson/entry.h"

#ifdef __cplusplus
extern "C" {
#endif

enum keelson_log_level {
    KEELSON_LOG_DEBUG = 0,
    KEELSON_LOG_INFO = 1,
    KEELSON_LOG_WARN = 2,
    KEELSON_LOG_ERROR = 3
};

enum keelson_metric_kind {
    KEELSON_COUNTER = 0,  /* adds value */
    KEELSON_GAUGE = 1,    /* sets value */
    KEELSON_HISTOGRAM = 2 /* observes value; base units: seconds, bytes */
};

struct keelson_host {
    uint32_t struct_size;
    void* context;
    /* A line for the log, under the plugin's name. Lines over 8 KiB are cut; when the plugin floods the log,
     * lines are dropped and counted. */
    void (*log)(void* context, int32_t level, struct keelson_bytes message);
    /* name: [a-z0-9_]+, shown as keelson_plugin_<name>. labels: {"disk": "a"}, or empty. */
    void (*metric)(void* context, int32_t kind, const char* name, double value, struct keelson_bytes labels);
    /* A Kubernetes Event: {"regarding": {"apiVersion","kind","namespace","name","uid"}, "type":
     * "Normal"|"Warning", "reason": "...", "action": "...", "message": "..."}. */
    void (*event)(void* context, struct keelson_bytes event);
    /* Asks the kernel to look again at what the key names now: "pod/<uid>", "volume/<name>", "" for
     * everything that this plugin serves. */
    void (*request_reconcile)(void* context, struct keelson_bytes key);
    /* A directory of the plugin's own, mode 0700, that stays from start to start and from version to version.
     */
    const char* state_directory;
    /* Microseconds. Under the kernel's simulation time is virtual: use these, not the system's clocks. */
    int64_t (*monotonic_us)(void* context);
    int64_t (*unix_us)(void* context);
    /* Services that not every host has, by id, or null. */
    const void* (*service)(void* context, const char* id);
    /* The name in the API of the node that this machine is or would be; empty when the host knows none. */
    const char* node_name;
};

/* Objects of the Kubernetes API, of the types that the manifest asks for (objects:) and the operator accepts.
 * KEELSON_FORBIDDEN for others. The `instance` of these methods is keelson_host.context. Documents:
 * sdk/schema/host.json.
 *
 * The methods wait in the calling thread; methods of short capabilities (auth.h) get KEELSON_UNSUPPORTED.
 * Requests have at most 64 KiB, answers 15 MiB (KEELSON_EXHAUSTED), and at most 32 calls of a plugin are
 * under way at once (KEELSON_EXHAUSTED). KEELSON_UNAVAILABLE: the kernel starts, ends or is being replaced;
 * try again. A cancelled call returns within a fraction of a second, and so do all when the plugin is told to
 * stop. */
#define KEELSON_HOST_OBJECTS "keelson.host.objects/0"
struct keelson_host_objects {
    uint32_t struct_size;
    /* {"apiVersion": "v1", "resource": "secrets", "namespace": "...", "name": "..."} -> the object */
    keelson_method get;
    /* {"apiVersion", "resource", "namespace"?, "labelSelector"?, "fieldSelector"?}
     * -> {"items": [...], "resourceVersion": "..."} */
    keelson_method list;
    /* As list, with "resourceVersion" from where on. Waits for changes until the deadline at most
     * -> {"events": [{"type": "ADDED"|"MODIFIED"|"DELETED", "object": {...}}], "resourceVersion": "..."}; no
     * events when the deadline has come, or after 30 seconds without one; at most five minutes.
     * KEELSON_CONFLICT: that version is too old, list again. */
    keelson_method watch;
};
#define KEELSON_HOST_OBJECTS_METHODS(X, T) X(T, get) X(T, list) X(T, watch)

#ifdef __cplusplus
}
#endif
#endif
