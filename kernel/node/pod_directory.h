// The files of a pod on the node that are no volumes: /etc/hosts, /etc/hostname and /etc/resolv.conf of its
// containers, where they leave their last words, and their logs.
#pragma once

#include <string>
#include <vector>

#include "kernel/base/result.h"
#include "kernel/base/task.h"
#include "kernel/client/informer.h"
#include "kernel/node/container_settings.h"

namespace keelson::node {

struct PodFiles {
    std::string directory;      // <root>/pods/<uid>
    std::string log_directory;  // of this pod
    HostNames names;
    std::vector<std::string> addresses;
};

// Makes the directories and writes the files that are to be other than they are: in place, because containers
// have them mounted.
[[nodiscard]] base::Task<base::Result<void>> keep_pod_files(client::ObjectPointer pod, PodFiles files,
                                                            DnsSettings dns);
// Removes both directories with all in them. Volumes must have been taken down before.
[[nodiscard]] base::Task<base::Result<void>> remove_pod_files(std::string directory,
                                                              std::string log_directory);

// What a container wrote to its termination log, 4 KiB at most, or the end of its log (2 KiB or 80 lines) if
// one is named and the file is empty. Blocks shortly.
[[nodiscard]] std::string termination_message(const std::string& path, const std::string& log_path);

}  // namespace keelson::node
