// What drivers show to pods: the volumes that a pod asks for by itself (`csi` in its volumes), which live and
// die with the pod, and those of claims.
#pragma once

#include <sys/types.h>

#include <optional>
#include <set>
#include <string>

#include "kernel/node/object_cache.h"
#include "kernel/node/runtime.h"
#include "kernel/object/accessors/core_v1.h"

namespace keelson::node {

// On the node's executor.
class InlineVolumes {
  public:
    InlineVolumes(ObjectCache& objects, VolumeDrivers& drivers) : objects_(objects), drivers_(drivers) {}

    // `directory`: <pod>/volumes/kubernetes.io~csi/<name>; gives the path of the volume in it. What was
    // published is written down there first, so that every later process can undo it.
    base::Task<base::Result<std::string>> publish(client::ObjectPointer pod,
                                                  api_types::core_v1::Volume volume, std::string directory);
    // The same for a volume that somebody has made; `group`: whose its files become.
    base::Task<base::Result<std::string>> publish_request(std::string driver, PublishRequest request,
                                                          std::optional<gid_t> group, std::string directory);
    // Undoes what is written down in <volumes directory>/kubernetes.io~csi.
    base::Task<base::Result<void>> unpublish_all(std::string volumes_directory);

  private:
    base::Task<base::Result<PublishRequest>> request_of(client::ObjectPointer pod,
                                                        api_types::core_v1::CSIVolumeSource source,
                                                        std::string volume_name);
    base::Task<base::Result<void>> unpublish(std::string directory);

    ObjectCache& objects_;
    VolumeDrivers& drivers_;
    std::set<std::string> published_;  // directories, by this process
};

}  // namespace keelson::node
