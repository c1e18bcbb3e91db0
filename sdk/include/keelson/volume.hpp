// Storage for pods, as structs. What the methods have to do is said in volume.h.
#ifndef KEELSON_VOLUME_HPP
#define KEELSON_VOLUME_HPP

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "keelson/plugin.hpp"
#include "keelson/volume.h"

namespace keelson {

struct VolumePlugin {};
struct SnapshotPlugin {};

namespace volume {

struct Capability {
    std::string access_mode;  // "ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"
    std::string volume_mode;  // "Filesystem", "Block"
    std::string fs_type;
    std::vector<std::string> mount_options;
    KEELSON_FIELDS(field.required("accessMode", self.access_mode)
                       .required("volumeMode", self.volume_mode)
                       .optional("fsType", self.fs_type)
                       .optional("mountOptions", self.mount_options))
};

struct TopologyWish {
    std::vector<Labels> preferred;
    KEELSON_FIELDS(field.optional("preferred", self.preferred))
};

// One of the two.
struct Source {
    std::string snapshot_id;
    std::string volume_id;
    KEELSON_FIELDS(field.optional("snapshotId", self.snapshot_id).optional("volumeId", self.volume_id))
};

struct Pod {
    std::string name;
    std::string namespace_;
    std::string uid;
    std::string service_account_name;
    KEELSON_FIELDS(field.required("name", self.name)
                       .required("namespace", self.namespace_)
                       .required("uid", self.uid)
                       .required("serviceAccountName", self.service_account_name))
};

struct Create {
    std::string name;
    std::int64_t capacity_bytes = 0;
    std::optional<std::int64_t> limit_bytes;
    std::vector<Capability> capabilities;
    Labels parameters;
    Labels secrets;
    std::optional<TopologyWish> topology;
    std::optional<Source> source;
    KEELSON_FIELDS(field.required("name", self.name)
                       .required("capacityBytes", self.capacity_bytes)
                       .optional("limitBytes", self.limit_bytes)
                       .required("capabilities", self.capabilities)
                       .required("parameters", self.parameters)
                       .optional("secrets", self.secrets)
                       .optional("topology", self.topology)
                       .optional("source", self.source))
};

struct Created {
    std::string volume_id;
    std::int64_t capacity_bytes = 0;
    Labels attributes;
    std::vector<Labels> topology;
    KEELSON_FIELDS(field.required("volumeId", self.volume_id)
                       .required("capacityBytes", self.capacity_bytes)
                       .optional("attributes", self.attributes)
                       .optional("topology", self.topology))
};

struct Remove {
    std::string volume_id;
    Labels secrets;
    KEELSON_FIELDS(field.required("volumeId", self.volume_id).optional("secrets", self.secrets))
};

struct Attach {
    std::string volume_id;
    std::string node_id;
    Capability capability;
    bool read_only = false;
    Labels attributes;
    Labels secrets;
    KEELSON_FIELDS(field.required("volumeId", self.volume_id)
                       .required("nodeId", self.node_id)
                       .required("capability", self.capability)
                       .required("readOnly", self.read_only)
                       .required("attributes", self.attributes)
                       .optional("secrets", self.secrets))
};

struct Attached {
    Labels publish_context;
    KEELSON_FIELDS(field.optional("publishContext", self.publish_context))
};

struct Detach {
    std::string volume_id;
    std::string node_id;
    Labels secrets;
    KEELSON_FIELDS(field.required("volumeId", self.volume_id)
                       .required("nodeId", self.node_id)
                       .optional("secrets", self.secrets))
};

struct Stage {
    std::string volume_id;
    std::string path;
    Capability capability;
    Labels attributes;
    Labels publish_context;
    Labels secrets;
    KEELSON_FIELDS(field.required("volumeId", self.volume_id)
                       .required("path", self.path)
                       .required("capability", self.capability)
                       .required("attributes", self.attributes)
                       .optional("publishContext", self.publish_context)
                       .optional("secrets", self.secrets))
};

struct Unstage {
    std::string volume_id;
    std::string path;
    KEELSON_FIELDS(field.required("volumeId", self.volume_id).required("path", self.path))
};

struct Publish {
    std::string volume_id;
    std::string path;
    std::string staging_path;
    Capability capability;
    bool read_only = false;
    Labels attributes;
    Labels publish_context;
    Labels secrets;
    Pod pod;
    KEELSON_FIELDS(field.required("volumeId", self.volume_id)
                       .required("path", self.path)
                       .optional("stagingPath", self.staging_path)
                       .required("capability", self.capability)
                       .required("readOnly", self.read_only)
                       .required("attributes", self.attributes)
                       .optional("publishContext", self.publish_context)
                       .optional("secrets", self.secrets)
                       .required("pod", self.pod))
};

struct Unpublish {
    std::string volume_id;
    std::string path;
    KEELSON_FIELDS(field.required("volumeId", self.volume_id).required("path", self.path))
};

struct Expand {
    std::string volume_id;
    std::int64_t capacity_bytes = 0;
    std::optional<std::int64_t> limit_bytes;
    Capability capability;
    Labels secrets;
    KEELSON_FIELDS(field.required("volumeId", self.volume_id)
                       .required("capacityBytes", self.capacity_bytes)
                       .optional("limitBytes", self.limit_bytes)
                       .required("capability", self.capability)
                       .optional("secrets", self.secrets))
};

struct Expanded {
    std::int64_t capacity_bytes = 0;
    bool node_expansion_required = false;
    KEELSON_FIELDS(field.required("capacityBytes", self.capacity_bytes)
                       .required("nodeExpansionRequired", self.node_expansion_required))
};

struct NodeExpand {
    std::string volume_id;
    std::string path;
    std::int64_t capacity_bytes = 0;
    Capability capability;
    KEELSON_FIELDS(field.required("volumeId", self.volume_id)
                       .required("path", self.path)
                       .required("capacityBytes", self.capacity_bytes)
                       .required("capability", self.capability))
};

struct NodeExpanded {
    std::int64_t capacity_bytes = 0;
    KEELSON_FIELDS(field.required("capacityBytes", self.capacity_bytes))
};

struct StatsRequest {
    std::string volume_id;
    std::string path;
    KEELSON_FIELDS(field.required("volumeId", self.volume_id).required("path", self.path))
};

struct Usage {
    std::int64_t total = 0;
    std::int64_t used = 0;
    std::int64_t available = 0;
    KEELSON_FIELDS(
        field.required("total", self.total).required("used", self.used).required("available", self.available))
};

struct Stats {
    Usage bytes;
    std::optional<Usage> inodes;
    std::string abnormal;
    KEELSON_FIELDS(field.required("bytes", self.bytes)
                       .optional("inodes", self.inodes)
                       .optional("abnormal", self.abnormal))
};

struct NodeInfoRequest {
    KEELSON_FIELDS()
};

struct NodeInfo {
    std::string node_id;
    std::optional<std::int64_t> maximum_volumes;
    Labels topology;
    KEELSON_FIELDS(field.optional("nodeId", self.node_id)
                       .optional("maximumVolumes", self.maximum_volumes)
                       .optional("topology", self.topology))
};

namespace methods {
KEELSON_DETAIL_SLOT(create, Create, Created)
KEELSON_DETAIL_SLOT(remove, Remove, Empty)
KEELSON_DETAIL_SLOT(attach, Attach, Attached)
KEELSON_DETAIL_SLOT(detach, Detach, Empty)
KEELSON_DETAIL_SLOT(stage, Stage, Empty)
KEELSON_DETAIL_SLOT(unstage, Unstage, Empty)
KEELSON_DETAIL_SLOT(publish, Publish, Empty)
KEELSON_DETAIL_SLOT(unpublish, Unpublish, Empty)
KEELSON_DETAIL_SLOT(expand, Expand, Expanded)
KEELSON_DETAIL_SLOT(node_expand, NodeExpand, NodeExpanded)
KEELSON_DETAIL_SLOT(stats, StatsRequest, Stats)
KEELSON_DETAIL_SLOT(node_info, NodeInfoRequest, NodeInfo)
}  // namespace methods
}  // namespace volume

namespace snapshot {

struct Create {
    std::string name;
    std::string volume_id;
    Labels parameters;
    Labels secrets;
    KEELSON_FIELDS(field.required("name", self.name)
                       .required("volumeId", self.volume_id)
                       .required("parameters", self.parameters)
                       .optional("secrets", self.secrets))
};

struct Created {
    std::string snapshot_id;
    std::int64_t capacity_bytes = 0;
    std::string creation_time;  // "2026-01-02T03:04:05Z"
    bool ready_to_use = true;
    KEELSON_FIELDS(field.required("snapshotId", self.snapshot_id)
                       .required("capacityBytes", self.capacity_bytes)
                       .required("creationTime", self.creation_time)
                       .required("readyToUse", self.ready_to_use))
};

struct Remove {
    std::string snapshot_id;
    Labels secrets;
    KEELSON_FIELDS(field.required("snapshotId", self.snapshot_id).optional("secrets", self.secrets))
};

namespace methods {
KEELSON_DETAIL_SLOT(create, Create, Created)
KEELSON_DETAIL_SLOT(remove, Remove, Empty)
}  // namespace methods
}  // namespace snapshot

KEELSON_DETAIL_BIND(VolumePlugin, KEELSON_VOLUME, keelson_volume, KEELSON_VOLUME_METHODS, volume::methods)
KEELSON_DETAIL_BIND(SnapshotPlugin, KEELSON_VOLUME_SNAPSHOT, keelson_volume_snapshot,
                    KEELSON_VOLUME_SNAPSHOT_METHODS, snapshot::methods)

}  // namespace keelson

#endif
