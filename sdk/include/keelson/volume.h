/* Storage for pods. Documents: sdk/schema/volume.json.
 *
 * A volume is made (create), made reachable for a node (attach), prepared once on that node (stage) and shown
 * to each pod (publish); each step has its opposite. A plugin has the methods that its storage needs; a table
 * without create serves volumes that others have made, one without attach needs no attaching, one without
 * stage is published at once. Every method is idempotent: the same call again answers the same, and undoing
 * what is not done is KEELSON_OK.
 *
 * volumeId is the plugin's own name for a volume. parameters come from the StorageClass, attributes from the
 * volume as create answered them (for an inline volume: from the pod), secrets from the Secrets that the
 * class or volume names. capability is {"accessMode": "ReadWriteOnce" | "ReadOnlyMany" | "ReadWriteMany" |
 * "ReadWriteOncePod", "volumeMode": "Filesystem" | "Block", "fsType"?: "ext4", "mountOptions"?: []}. Sizes
 * are in bytes. */
#ifndef KEELSON_VOLUME_H
#define KEELSON_VOLUME_H

#include "keelson/entry.h"

#ifdef __cplusplus
extern "C" {
#endif

#define KEELSON_VOLUME "keelson.volume/0"
struct keelson_volume {
    uint32_t struct_size;
    /* {"name": "pvc-<uid>", "capacityBytes", "limitBytes"?, "capabilities": [capability], "parameters",
     * "secrets"?, "topology"?: {"preferred": [{label: value}]}, "source"?: {"snapshotId"} | {"volumeId"}}
     * -> {"volumeId", "capacityBytes", "attributes"?: {}, "topology"?: [{label: value}]} */
    keelson_method create;
    /* {"volumeId", "secrets"?} -> {} */
    keelson_method remove;
    /* {"volumeId", "nodeId", "capability", "readOnly", "attributes", "secrets"?} -> {"publishContext"?: {}}
     */
    keelson_method attach;
    /* {"volumeId", "nodeId", "secrets"?} -> {} */
    keelson_method detach;
    /* {"volumeId", "path", "capability", "attributes", "publishContext"?, "secrets"?} -> {}: mounted at path,
     * or a block device bound there. The directory of path exists; path itself is the plugin's to make. */
    keelson_method stage;
    /* {"volumeId", "path"} -> {} */
    keelson_method unstage;
    /* {"volumeId", "path", "stagingPath"?, "capability", "readOnly", "attributes", "publishContext"?,
     * "secrets"?, "pod": {"name", "namespace", "uid", "serviceAccountName"}} -> {} */
    keelson_method publish;
    /* {"volumeId", "path"} -> {}; path is gone afterwards */
    keelson_method unpublish;
    /* {"volumeId", "capacityBytes", "limitBytes"?, "capability", "secrets"?}
     * -> {"capacityBytes", "nodeExpansionRequired": false} */
    keelson_method expand;
    /* {"volumeId", "path", "capacityBytes", "capability"} -> {"capacityBytes"}: the filesystem on the node */
    keelson_method node_expand;
    /* {"volumeId", "path"} -> {"bytes": {"total", "used", "available"}, "inodes"?: {...},
     *  "abnormal"?: "why the volume is not well"} */
    keelson_method stats;
    /* {} -> {"nodeId"?, "maximumVolumes"?, "topology"?: {label: value}} of the node it runs on */
    keelson_method node_info;
};
/* clang-format off */
#define KEELSON_VOLUME_METHODS(X, T) \
    X(T, create) X(T, remove) X(T, attach) X(T, detach) X(T, stage) X(T, unstage) X(T, publish) \
    X(T, unpublish) X(T, expand) X(T, node_expand) X(T, stats) X(T, node_info)
/* clang-format on */

#define KEELSON_VOLUME_SNAPSHOT "keelson.volume.snapshot/0"
struct keelson_volume_snapshot {
    uint32_t struct_size;
    /* {"name", "volumeId", "parameters", "secrets"?}
     * -> {"snapshotId", "capacityBytes", "creationTime", "readyToUse"} */
    keelson_method create;
    /* {"snapshotId", "secrets"?} -> {} */
    keelson_method remove;
};
#define KEELSON_VOLUME_SNAPSHOT_METHODS(X, T) X(T, create) X(T, remove)

#ifdef __cplusplus
}
#endif
#endif
