// Pods from files: each manifest in a directory is a pod of this node, as long as the file is there.
//
// They are made in the API with the annotations by which Kubernetes knows mirror pods, and run like any
// other. So they need the API to start; one that somebody deletes there is ended and made again. On the
// node's executor.
#pragma once

#include <map>
#include <string>

#include "kernel/base/pause.h"
#include "kernel/client/informer.h"
#include "kernel/node/node_agent.h"

namespace keelson::node {

class StaticPods {
  public:
    // `pods` are those of this node; it is among the nodes, as the owner of what it makes.
    StaticPods(const NodeSettings& settings, const NodeParts& parts, const client::Informer& pods,
               const client::Informer& nodes)
        : settings_(settings), parts_(parts), pods_(pods), nodes_(nodes) {}

    // Looks at the directory every few seconds until stop(); returns at once without a directory.
    base::Task<void> run();
    void stop() { pause_.stop(); }

  private:
    using Wanted = std::map<client::ObjectKey, client::ObjectPointer>;

    base::Task<void> look();
    base::Task<void> bring(client::ObjectPointer wanted);
    base::Task<void> remove(client::ObjectPointer present);

    const NodeSettings& settings_;
    const NodeParts& parts_;
    const client::Informer& pods_;
    const client::Informer& nodes_;
    std::map<std::string, std::string> told_;  // what was said about a file that is no pod
    base::Pause pause_;
};

// The pod of a manifest, named for the node, owned by it and marked with the hash of its text. A failure says
// what is wrong.
[[nodiscard]] base::Result<client::ObjectPointer> static_pod(std::string_view text, const std::string& path,
                                                             const client::CachedObject& node);

}  // namespace keelson::node
