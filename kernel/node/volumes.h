// The volumes of the pods on this node: prepared before the first container, kept up to date, taken down
// after the last.
//
// Layout, as users of Kubernetes know it: <root>/pods/<uid>/volumes/kubernetes.io~<type>/<name>. Files of
// configMap, secret, downwardAPI and projected volumes are replaced all at once: <volume>/..data is a link to
// a directory with a time stamp for its name, renamed over the old one. On the node's executor; file work
// goes to its blocking pool.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kernel/base/executor.h"
#include "kernel/client/client.h"
#include "kernel/client/informer.h"
#include "kernel/node/mounted_volume.h"
#include "kernel/node/object_cache.h"
#include "kernel/node/runtime.h"

namespace keelson::node {

struct VolumeSettings {
    std::string root_directory;  // "/var/lib/keelson/node"
    std::string node_name;
};

class Volumes {
  public:
    [[nodiscard]] static std::unique_ptr<Volumes> make(VolumeSettings settings, client::Client& client,
                                                       ObjectCache& objects, VolumeDrivers& drivers,
                                                       base::Executor& executor);
    virtual ~Volumes() = default;

    // Prepares what is missing and brings the files of the others up to date; called again at will. A failure
    // names the volume in Kubernetes' words: `MountVolume.SetUp failed for volume "x" : configmap "y" not
    // found`. The fields in downward files are those of the pod as it is given. Call it again when an object
    // of the pod has changed, and now and then: tokens are renewed after four fifths of their life.
    virtual base::Task<base::Result<MountedVolumes>> prepare(client::ObjectPointer pod) = 0;
    // Unmounts and removes everything of the pod (all of <root>/pods/<uid>), whether this process has
    // prepared it or an earlier one, and releases the pod's objects. What cannot be removed is a failure;
    // called again it goes on. Never while the same pod is being prepared.
    virtual base::Task<base::Result<void>> take_down(std::string pod_uid) = 0;
    // Uids of pods that have directories here.
    virtual base::Task<std::vector<std::string>> known_pods() = 0;
};

}  // namespace keelson::node
