// The ConfigMaps, Secrets and other single objects that the node's pods refer to: each watched as long as
// somebody uses it, and by its name alone, because a node may not list what is not its pods'.
//
// On the node's executor.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "kernel/base/executor.h"
#include "kernel/base/ids.h"
#include "kernel/base/result.h"
#include "kernel/base/task.h"
#include "kernel/client/informer.h"

namespace keelson::node {

class ObjectCache {
  public:
    // A change of an object that `user` uses; called on the executor.
    using Changed = std::function<void(const std::string& user)>;

    // All that is given must outlive it.
    [[nodiscard]] static std::unique_ptr<ObjectCache> make(client::Client& client, base::Executor& executor,
                                                           base::RandomSource& random, Changed changed);
    virtual ~ObjectCache() = default;

    // The object as last seen; the first question waits for it. From then on it is watched for this user
    // (a pod's uid). Failures: not_found; what the API server said otherwise.
    virtual base::Task<base::Result<client::ObjectPointer>> get(client::Collection collection,
                                                                client::ObjectKey key, std::string user) = 0;
    // The user needs nothing any more.
    virtual void release(const std::string& user) = 0;
    // Ends all watches and waits for them.
    virtual base::Task<void> stop() = 0;
};

}  // namespace keelson::node
