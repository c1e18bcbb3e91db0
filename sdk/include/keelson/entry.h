/* The way into a Keelson plugin.
 *
 * A plugin is a shared object that exports one C function, keelson_plugin(). It returns a constant table, the
 * entry; the entry makes instances; an instance names the capabilities that it has, each a table of methods
 * (volume.h, network.h, runtime.h, ingress.h, auth.h). All methods have one shape: a JSON document in, a JSON
 * document out, a status back.
 *
 * Layout. Every table starts with struct_size, the size that its maker was compiled with; later versions only
 * append fields. A reader takes fields that lie beyond struct_size for absent. Strings end with a zero byte
 * and are UTF-8; strings in a keelson_bytes need no zero byte.
 *
 * Threads. The host calls create, start, stop and destroy of one instance one after another, never two at
 * once, never beside a method of that instance; which thread it uses may change. Methods of capabilities,
 * health among them, are called from any thread and beside each other, at most as many at once as the
 * manifest's limits.concurrentCalls says (default: 16).
 *
 * A plugin must not fork without exec, change the working directory, the environment, signal handlers or the
 * locale, or write to standard output for other ends than logging. It may start threads; all must have ended
 * when stop returns.
 *
 * This header is C99. Link nothing from Keelson: what a plugin needs of the host comes through keelson_host.
 */
#ifndef KEELSON_ENTRY_H
#define KEELSON_ENTRY_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The ABI majors that this SDK's tables describe. Host and plugin use the highest one that both know. */
#define KEELSON_ABI_MINIMUM 1u
#define KEELSON_ABI_MAXIMUM 1u

#if defined(__GNUC__)
#define KEELSON_EXPORT __attribute__((visibility("default")))
#else
#define KEELSON_EXPORT
#endif

struct keelson_host; /* host.h */

/* What a method answers with. Everything but KEELSON_OK is a failure, and its reply is an error document:
 * {"message": "what is wrong and what to do", "field": "spec.size"}; field may be left out. Values that the
 * reader does not know count as KEELSON_INTERNAL. */
enum keelson_status {
    KEELSON_OK = 0,
    KEELSON_INTERNAL = 1,          /* a fault of the plugin or of what it stands on */
    KEELSON_INVALID = 2,           /* the request can never work as it is */
    KEELSON_NOT_FOUND = 3,         /* what it names does not exist */
    KEELSON_ALREADY_EXISTS = 4,    /* with other properties; the same again is KEELSON_OK */
    KEELSON_CONFLICT = 5,          /* it is in use, or changed meanwhile */
    KEELSON_UNAVAILABLE = 6,       /* try again: a server that does not answer, a resource that is busy */
    KEELSON_DEADLINE_EXCEEDED = 7, /* the call's deadline has passed; what was begun goes on or is undone */
    KEELSON_CANCELLED = 8,         /* the caller no longer wants the answer */
    KEELSON_UNSUPPORTED = 9,       /* this plugin, or the machine, cannot do that */
    KEELSON_EXHAUSTED = 10,        /* no space, no addresses, too many of something */
    KEELSON_UNAUTHENTICATED = 11,  /* nobody that is known */
    KEELSON_FORBIDDEN = 12         /* known, but not allowed */
};

/* Borrowed bytes. */
struct keelson_bytes {
    const char* data;
    size_t size;
};

/* The circumstances of one call; valid until the method returns. */
struct keelson_call {
    uint32_t struct_size;
    uint32_t descriptor_count;
    /* File descriptors that came with the request, in the order that the method documents. They are closed
     * when the method returns: duplicate what is to stay. */
    const int* descriptors;
    /* CLOCK_MONOTONIC in microseconds; 0: none. A method that has passed it should give up with
     * KEELSON_DEADLINE_EXCEEDED. The host gives up on its own side in any case. */
    int64_t deadline_us;
    /* Becomes non-zero when nobody waits for the answer any more. Read it with keelson_is_cancelled(). */
    const int32_t* cancelled;
    /* The W3C traceparent of the request behind this call; empty when there is none. */
    const char* traceparent;
};

/* Where a method puts its answer. write() appends; a method writes one complete document, in as many pieces
 * as it likes, before it returns. More than 16 MiB in all is dropped and fails the call. pass_descriptor()
 * duplicates the descriptor (the plugin keeps its own) and adds it to the answer, at most 16; KEELSON_OK or
 * KEELSON_EXHAUSTED. Both may be used from the method's own thread only. */
struct keelson_reply {
    uint32_t struct_size;
    void* context;
    void (*write)(void* context, const char* data, size_t size);
    int32_t (*pass_descriptor)(void* context, int descriptor);
};

/* Every method. `instance` is keelson_instance.self. The request stays valid until the method returns.
 * Answers an enum keelson_status. A null method in a table is one that the plugin does not have. */
typedef int32_t (*keelson_method)(void* instance, const struct keelson_call* call,
                                  struct keelson_bytes request, struct keelson_reply* reply);

/* One running copy of the plugin, made by keelson_entry.create. */
struct keelson_instance {
    uint32_t struct_size;
    void* self;
    /* Request: the plugin's configuration, checked against the manifest's schema. Called once, before any
     * other method. A failure says why this instance cannot run; the host destroys it and may try again with
     * another. */
    keelson_method start;
    /* Request: {}. Ends what start began; no other method runs or comes after it but destroy. */
    keelson_method stop;
    /* Request: {}. Reply: {"healthy": true} or {"healthy": false, "message": "..."}. Short: it is called
     * every few seconds. */
    keelson_method health;
    /* The method table of a capability ("keelson.volume/0"), or null when this instance does not have it. The
     * table lives as long as the instance. Answers the same from create on. */
    const void* (*capability)(void* self, const char* id);
    void (*destroy)(void* self);
};

struct keelson_entry {
    uint32_t struct_size;
    uint32_t abi_minimum;
    uint32_t abi_maximum;
    const char* id;      /* "com.example.mydisk", the manifest's id */
    const char* version; /* "1.4.0" */
    /* Fills *instance. The host has set instance->struct_size to the room that it gives: a plugin writes no
     * field that lies beyond it and leaves struct_size alone. `abi` is the major that both sides will use; a
     * plugin refuses one that it does not know. The host table outlives the instance. A failure writes an
     * error document, from this thread and before it returns. */
    int32_t (*create)(uint32_t abi, const struct keelson_host* host, struct keelson_instance* instance,
                      struct keelson_reply* error);
};

/* The one symbol that a plugin exports. */
KEELSON_EXPORT const struct keelson_entry* keelson_plugin(void);

typedef const struct keelson_entry* (*keelson_plugin_function)(void);
#define KEELSON_PLUGIN_SYMBOL "keelson_plugin"

/* Whether a table that says it has `size` bytes holds the whole field. */
#define KEELSON_HAS_FIELD(table, type, field) \
    ((table)->struct_size >= offsetof(type, field) + sizeof(((const type*)0)->field))

#if defined(__GNUC__)
static inline int keelson_is_cancelled(const struct keelson_call* call) {
    return call->cancelled && __atomic_load_n(call->cancelled, __ATOMIC_RELAXED) != 0;
}
#endif

/* Carry state and descriptors from an instance to the one that replaces it: a new version, or a new
 * configuration. Without this capability the host stops the old one before it starts the new one, and calls
 * wait meanwhile. All four methods are needed. */
#define KEELSON_HANDOVER "keelson.handover/0"
struct keelson_handover {
    uint32_t struct_size;
    /* Finish or park what is under way; no method but these three comes until resume or stop. Reply: {}. */
    keelson_method quiesce;
    /* After quiesce. Reply: {"state": any}, with descriptors. */
    keelson_method give;
    /* In the new instance, after start. Request: what give answered, with its descriptors. Reply: {}. When it
     * fails the old instance resumes. */
    keelson_method adopt;
    /* In the old instance, after a quiesce whose handover failed: go on as before. Reply: {}. */
    keelson_method resume;
};
#define KEELSON_HANDOVER_METHODS(X, T) X(T, quiesce) X(T, give) X(T, adopt) X(T, resume)

#ifdef __cplusplus
}
#endif
#endif
