// Objects of the API for plugins, read through the in-process client. Each plugin reads under an identity of
// its own, which is in no group with rights and has no client that writes: what it may read has been checked
// by the plugin host against its manifest and the operator's word.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>

#include "kernel/client/client.h"
#include "kernel/plugin/objects.h"
#include "kernel/resource/subresources.h"
#include "kernel/resource/verbs.h"

namespace keelson::daemon {

// Thread-safe. Plugins may start before there is a store: they are told to try again.
class PluginObjects final : public plugin::ObjectsSource {
  public:
    // From now on; both live until end() has returned.
    void begin(resource::Verbs& verbs, resource::Subresources& subresources);
    // Waits for the reads under way. Watches must have been stopped, by stopping the plugins.
    void end();

    base::Task<base::Result<std::string>> get(plugin::ObjectQuery query) override;
    base::Task<base::Result<plugin::ObjectList>> list(plugin::ObjectQuery query) override;
    base::Task<base::Result<plugin::ObjectChanges>> watch(plugin::ObjectQuery query,
                                                          std::shared_ptr<plugin::StopSignal> stop) override;

  private:
    class Reading;
    base::Result<std::unique_ptr<Reading>> enter(const plugin::ObjectQuery& query);

    std::mutex mutex_;
    std::condition_variable idle_;
    resource::Verbs* verbs_ = nullptr;
    resource::Subresources* subresources_ = nullptr;
    int readings_ = 0;
};

}  // namespace keelson::daemon
