// What is in the files of configMap, secret, downwardAPI and projected volumes.
#pragma once

#include <map>
#include <string>

#include "kernel/client/client.h"
#include "kernel/node/object_cache.h"
#include "kernel/node/volume_files.h"
#include "kernel/object/accessors/core_v1.h"

namespace keelson::node {

// Asks for the objects and tokens that volumes are made of. On the node's executor.
class VolumeSources {
  public:
    VolumeSources(std::string node_name, client::Client& client, ObjectCache& objects)
        : node_name_(std::move(node_name)), client_(client), objects_(objects) {}

    // The files of a volume of one of the four kinds. Failures in Kubernetes' words: `configmap "x" not
    // found`, `configmap references non-existent config key: k`.
    base::Task<base::Result<VolumeFiles>> files_of(client::ObjectPointer pod,
                                                   api_types::core_v1::Volume volume);

    // Its tokens are needed no more.
    void forget(const std::string& pod_uid) { tokens_.erase(pod_uid); }

  private:
    struct Token {
        std::string text;
        base::WallTime refresh_at{};
        base::WallTime expires_at{};
    };
    struct Gathering;

    base::Task<base::Result<void>> add_object(Gathering& into, const client::Collection& collection,
                                              std::string_view name,
                                              object::ListView<api_types::core_v1::KeyToPath> items,
                                              bool is_optional);
    base::Task<base::Result<void>> add_fields(
        Gathering& into, object::ListView<api_types::core_v1::DownwardAPIVolumeFile> items);
    base::Task<base::Result<void>> add_projected(Gathering& into,
                                                 api_types::core_v1::ProjectedVolumeSource source);
    base::Task<base::Result<void>> add_token(Gathering& into,
                                             api_types::core_v1::ServiceAccountTokenProjection source);
    base::Task<base::Result<Token>> request_token(api_types::core_v1::Pod pod,
                                                  api_types::core_v1::ServiceAccountTokenProjection source);
    base::Task<client::ObjectPointer> node();

    std::string node_name_;
    client::Client& client_;
    ObjectCache& objects_;
    client::ObjectPointer node_;
    std::map<std::string, std::map<std::string, Token>> tokens_;  // by pod, then by what was asked for
};

}  // namespace keelson::node
