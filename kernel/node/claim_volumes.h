// The volumes of claims: found through the claim and the PersistentVolume that it is bound to.
#pragma once

#include <map>
#include <string>

#include "kernel/client/client.h"
#include "kernel/node/inline_volumes.h"
#include "kernel/node/mounted_volume.h"
#include "kernel/object/accessors/core_v1.h"

namespace keelson::node {

// Serves volumes of plugins (`csi`), `hostPath` and `local`. On the node's executor.
class ClaimVolumes {
  public:
    ClaimVolumes(client::Client& client, InlineVolumes& published) : client_(client), published_(published) {}

    // `volume` names a claim or is an ephemeral one. Volumes of plugins appear in
    // <directory>/<name of the PersistentVolume>. Failures in Kubernetes' words.
    base::Task<base::Result<MountedVolume>> prepare(client::ObjectPointer pod,
                                                    api_types::core_v1::Volume volume, std::string directory);
    // The pod has gone.
    void forget(const std::string& pod_uid) { prepared_.erase(pod_uid); }

  private:
    base::Task<base::Result<MountedVolume>> find(client::ObjectPointer pod, api_types::core_v1::Volume volume,
                                                 std::string directory);

    client::Client& client_;
    InlineVolumes& published_;
    // By pod and volume: what a pod once has it keeps, even when its claim goes.
    std::map<std::string, MountedVolumes> prepared_;
};

}  // namespace keelson::node
