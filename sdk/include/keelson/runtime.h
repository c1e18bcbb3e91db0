/* Containers and their images. Documents: sdk/schema/runtime.json.
 *
 * A sandbox is what the containers of a pod share: namespaces, a cgroup, an address. Every method is
 * idempotent: the caller chooses the ids, and undoing what is not done is KEELSON_OK. When something changes
 * by itself (a container ends) the plugin calls request_reconcile with "pod/<uid>". */
#ifndef KEELSON_RUNTIME_H
#define KEELSON_RUNTIME_H

#include "keelson/entry.h"

#ifdef __cplusplus
extern "C" {
#endif

#define KEELSON_RUNTIME "keelson.runtime/0"
struct keelson_runtime {
    uint32_t struct_size;
    /* {} -> {"name", "version", "handlers": ["runc", ...]} */
    keelson_method info;
    /* {"sandboxId", "pod": {"name", "namespace", "uid", "annotations": {}}, "hostname"?, "logDirectory",
     *  "cgroupParent", "namespaces": {"network": "pod"|"host", "pid": "pod"|"host"|"container", "ipc",
     * "user"}, "sysctls"?: {}, "handler"?, "resources"?: resources of all containers together} -> {}, with a
     * descriptor of its network namespace unless that is the host's. Answers the same for one that runs
     * already. "cgroupParent" is a path below the root of every hierarchy: "keelson/pods/burstable/pod<uid>".
     */
    keelson_method run_sandbox;
    /* {"sandboxId"} -> {}: ends every process in it */
    keelson_method stop_sandbox;
    /* {"sandboxId"} -> {}: nothing is left of it and of its containers */
    keelson_method remove_sandbox;
    /* {} -> {"sandboxes": [{"sandboxId", "pod", "state": "ready"|"stopped", "createdAt"}]} */
    keelson_method list_sandboxes;
    /* {"sandboxId", "containerId", "name", "attempt", "imageId", "command": [], "args": [],
     * "workingDirectory"?, "environment": [{"name", "value"}], "mounts": [{"source", "path", "readOnly",
     * "propagation": "private"|"hostToContainer"|"bidirectional"}], "devices"?: [{"hostPath", "path",
     * "permissions": "rwm"}], "resources": resources, "security": security, "logPath", "tty", "stdin",
     * "stdinOnce"?, "targetContainerId"?: whose processes it shall see} -> {}
     *
     * An empty "command" is the image's entrypoint; empty "args" are the image's as well, unless "command"
     * is there. "logPath" is relative to the sandbox's log directory; a line of the log is
     * "2026-01-02T03:04:05.000000000Z stdout F text". "stdinOnce": standard input ends with the first client.
     *
     * resources: {"cpuShares"?, "cpuQuotaMicroseconds"?, "cpuPeriodMicroseconds"?, "memoryLimitBytes"?,
     * "memorySwapLimitBytes"?, "processLimit"?, "oomScoreAdjustment"?}
     *
     * security: {"privileged"?, "user"?: a number, "userName"?: as in the image's passwd, "group"?,
     * "supplementalGroups"?: [], "supplementalGroupsPolicy"?: "Merge"|"Strict", "capabilities"?: {"add": [],
     * "drop": []}, "readOnlyRoot"?, "noNewPrivileges"?, "seccomp"?: {"type":
     * "RuntimeDefault"|"Unconfined"|"Localhost", "path"?}, "maskedPaths"?: [], "readOnlyPaths"?: []}. What
     * is not said is as the image says, then as usual for the runtime; empty lists of paths mask nothing. */
    keelson_method create_container;
    keelson_method start_container; /* {"containerId"} -> {} */
    /* {"containerId", "graceSeconds", "signal"?} -> {}: answers when it has ended */
    keelson_method stop_container;
    keelson_method remove_container; /* {"containerId"} -> {} */
    /* {"sandboxId"?} -> {"containers": [{"containerId", "sandboxId", "name", "attempt", "imageId",
     *  "state": "created"|"running"|"exited", "createdAt", "startedAt"?, "finishedAt"?, "exitCode"?,
     * "reason"?: "Completed"|"Error"|"OOMKilled"|"StartError"|"ContainerCannotRun", "message"?,
     * "processId"?}]} */
    keelson_method list_containers;
    keelson_method update_resources; /* {"containerId", "resources"} -> {} */
    /* {"containerId", "command": [], "tty", "stdin", "stdout", "stderr", "timeoutSeconds"?} -> {"execId"},
     * with descriptors for standard input, output and error as asked, then one that gives {"exitCode"} when
     * it has ended */
    keelson_method exec;
    /* {"containerId", "stdin", "stdout", "stderr"} -> {}, with descriptors as for exec */
    keelson_method attach;
    keelson_method resize; /* {"containerId", "execId"?, "columns", "rows"} -> {} */
    /* {"sandboxId", "port"} -> {}, with the descriptor of a connected stream */
    keelson_method port_forward;
    keelson_method reopen_log; /* {"containerId"} -> {} */
    /* {"sandboxId"?} -> {"containers": [{"containerId", "cpuNanoseconds", "memoryBytes", "workingSetBytes",
     *  "fileSystemBytes"?}], "sandboxes"?: [{"sandboxId", "cpuNanoseconds", "memoryBytes",
     * "workingSetBytes", "processes"?}]} */
    keelson_method stats;
};
/* clang-format off */
#define KEELSON_RUNTIME_METHODS(X, T) \
    X(T, info) X(T, run_sandbox) X(T, stop_sandbox) X(T, remove_sandbox) X(T, list_sandboxes) \
    X(T, create_container) X(T, start_container) X(T, stop_container) X(T, remove_container) \
    X(T, list_containers) X(T, update_resources) X(T, exec) X(T, attach) X(T, resize) X(T, port_forward) \
    X(T, reopen_log) X(T, stats)
/* clang-format on */

#define KEELSON_IMAGES "keelson.runtime.images/0"
struct keelson_images {
    uint32_t struct_size;
    /* {"image": "docker.io/library/nginx:1", "credentials"?: [{"username"?, "password"?, "identityToken"?,
     * "registryToken"?}]: tried in turn} -> {"imageId"}. Fails with KEELSON_NOT_FOUND (no such image),
     * KEELSON_FORBIDDEN (the registry wants other credentials), KEELSON_UNAVAILABLE (the registry cannot be
     * reached), KEELSON_EXHAUSTED (no space), KEELSON_INVALID (no reference, or what came is not what its
     * digest says, no image, or hostile). */
    keelson_method pull;
    /* {"name"?}, with a descriptor of an archive -> {"images": [{"imageId", "names": []}]} */
    keelson_method load;
    keelson_method
        list; /* {} -> {"images": [{"imageId", "names": [], "sizeBytes", "user"?, "digests": []}]} */
    keelson_method remove; /* {"imageId"} -> {} */
    keelson_method usage;  /* {} -> {"usedBytes", "inodesUsed", "path"} */
    /* {"image": a reference or an id} -> {"image"?: as in list}: empty when it is not there */
    keelson_method inspect;
    /* {} -> {"pulls": [{"image": as pull was asked for it, "doneBytes", "wholeBytes"}]}: those under way.
     * Bytes are those of the layers as they travel; wholeBytes is 0 until the registry has told it. For
     * people who wait: a runtime that does not know leaves it out. */
    keelson_method pulls;
};
/* clang-format off */
#define KEELSON_IMAGES_METHODS(X, T) \
    X(T, pull) X(T, load) X(T, list) X(T, remove) X(T, usage) X(T, inspect) X(T, pulls)
/* clang-format on */

#ifdef __cplusplus
}
#endif
#endif
