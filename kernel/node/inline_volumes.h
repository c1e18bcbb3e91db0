// The volumes that a pod asks a driver for by itself (`csi` in its volumes): they live and die with the pod.
#pragma once

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
