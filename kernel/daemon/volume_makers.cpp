#include "kernel/daemon/volume_makers.h"

#include <keelson/volume.hpp>

#include "kernel/plugin/capability.h"

namespace keelson::daemon {
namespace {

namespace volume = keelson::volume;
using base::Result;
using base::Task;
using control::MadeVolume;
using control::NewVolume;
using plugin::Capability;

volume::Create to_plugin(const NewVolume& wanted) {
    volume::Create request;
    request.name = wanted.name;
    request.capacity_bytes = wanted.capacity_bytes;
    for (const std::string& mode : wanted.access_modes)
        request.capabilities.push_back({mode, wanted.volume_mode, wanted.file_system, wanted.mount_options});
    for (const auto& [name, value] : wanted.parameters) request.parameters[name] = value;
    if (!wanted.preferred.empty()) {
        volume::TopologyWish wish;
        for (const control::Topology& place : wanted.preferred)
            wish.preferred.emplace_back(place.begin(), place.end());
        request.topology = std::move(wish);
    }
    return request;
}

class PluginVolumeMakers final : public control::VolumeMakers {
  public:
    explicit PluginVolumeMakers(plugin::PluginHost& plugins) : plugins_(plugins) {}

    [[nodiscard]] bool has(const std::string& plugin) const override {
        return !plugin.empty() && calls_of(plugin).has("create");
    }

    Task<Result<MadeVolume>> create(std::string plugin, NewVolume wanted) override {
        const Capability calls = calls_of(plugin);
        auto asking = plugin::ask<volume::Created>(calls, "create", to_plugin(wanted));
        KEELSON_CO_TRY(const volume::Created created, co_await asking);
        if (created.volume_id.empty()) co_return plugin::bad_reply("create", "volumeId is empty");
        MadeVolume made;
        made.id = created.volume_id;
        made.capacity_bytes = created.capacity_bytes;
        for (const auto& [name, value] : created.attributes) made.attributes[name] = value;
        for (const auto& place : created.topology) made.topology.emplace_back(place.begin(), place.end());
        co_return made;
    }

    Task<Result<void>> remove(std::string plugin, std::string id) override {
        const Capability calls = calls_of(plugin);
        if (!calls.has("remove")) co_return base::ok();
        auto telling = plugin::tell(calls, "remove", volume::Remove{std::move(id), {}});
        co_return co_await telling;
    }

  private:
    [[nodiscard]] Capability calls_of(const std::string& plugin) const {
        return {plugins_, plugin, KEELSON_VOLUME};
    }

    plugin::PluginHost& plugins_;
};

}  // namespace

std::unique_ptr<control::VolumeMakers> make_plugin_volume_makers(plugin::PluginHost& plugins) {
    return std::make_unique<PluginVolumeMakers>(plugins);
}

}  // namespace keelson::daemon
