#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <map>

#include "directories.h"
#include "files.h"
#include "keelson/volume.hpp"

namespace keelson::local {
namespace {

constexpr const char* kHostname = "kubernetes.io/hostname";

std::string node_of(const Host& host) {
    std::string name = host.node_name();
    if (name.empty()) throw Error(Code::unsupported, "this host does not say which node it is");
    return name;
}

std::string root_of(const Host& host, const Json& configuration) {
    const std::string wanted = configuration.value("root", std::string());
    return wanted.empty() ? host.state_directory() + "/volumes" : wanted;
}

// Of a mount of a directory; false for those that only a filesystem could heed.
bool add_option(const std::string& option, unsigned long& flags) {
    static const std::map<std::string, unsigned long> known = {{"ro", MS_RDONLY},
                                                               {"rw", 0},
                                                               {"nosuid", MS_NOSUID},
                                                               {"nodev", MS_NODEV},
                                                               {"noexec", MS_NOEXEC},
                                                               {"noatime", MS_NOATIME},
                                                               {"nodiratime", MS_NODIRATIME},
                                                               {"relatime", MS_RELATIME}};
    const auto found = known.find(option);
    if (found == known.end()) return false;
    flags |= found->second;
    return true;
}

unsigned long flags_of(const volume::Capability& capability, bool read_only) {
    if (capability.volume_mode != "Filesystem")
        throw Error(Code::invalid, "a directory is no block device; use volumeMode Filesystem",
                    "capability.volumeMode");
    unsigned long flags = read_only ? MS_RDONLY : 0;
    for (const std::string& option : capability.mount_options)
        if (!add_option(option, flags))
            throw Error(Code::invalid,
                        "mount option \"" + option +
                            "\" is none of a directory; ro, rw, nosuid, nodev, noexec, noatime, nodiratime "
                            "and relatime are",
                        "capability.mountOptions");
    return flags;
}

}  // namespace

class LocalVolumes : public VolumePlugin {
  public:
    LocalVolumes(Host host, const Json& configuration)
        : node_(node_of(host)), directories_(root_of(host, configuration)) {}

    volume::Created create(const volume::Create& request) {
        for (const volume::Capability& capability : request.capabilities) (void)flags_of(capability, false);
        if (!request.parameters.empty())
            throw Error(Code::invalid, "volumes of this plugin have no parameters", "parameters");
        if (request.source)
            throw Error(Code::invalid, "volumes of this plugin are made empty, not from others", "source");
        if (request.topology && !is_here(*request.topology))
            throw Error(Code::unsupported, "volumes are made on node " + node_ + " only", "topology");
        if (request.capacity_bytes > 0 &&
            std::uint64_t(request.capacity_bytes) > directories_.available_bytes())
            throw Error(Code::exhausted, "there is not so much room left on node " + node_, "capacityBytes");
        directories_.make(request.name);
        return {request.name, request.capacity_bytes, {}, {{{kHostname, node_}}}};
    }

    void remove(const volume::Remove& request) { directories_.remove(request.volume_id); }

    void publish(const volume::Publish& request) {
        const unsigned long flags = flags_of(request.capability, request.read_only);
        show(directories_.open(request.volume_id), request.path, flags);
    }

    void unpublish(const volume::Unpublish& request) { hide(request.path); }

    // A directory shares its file system with others: so do the numbers.
    volume::Stats stats(const volume::StatsRequest& request) {
        const Descriptor volume = directories_.open(request.volume_id);
        struct statvfs about {};
        if (::fstatvfs(volume.get(), &about) != 0) throw oci::system_error("looking at the volume");
        const auto bytes = [&](fsblkcnt_t blocks) {
            return std::int64_t(blocks) * std::int64_t(about.f_frsize);
        };
        volume::Stats stats;
        stats.bytes = {bytes(about.f_blocks), bytes(about.f_blocks - about.f_bfree), bytes(about.f_bavail)};
        stats.inodes = volume::Usage{std::int64_t(about.f_files), std::int64_t(about.f_files - about.f_ffree),
                                     std::int64_t(about.f_favail)};
        return stats;
    }

    volume::NodeInfo node_info(const volume::NodeInfoRequest& /*request*/) {
        volume::NodeInfo info;
        info.node_id = node_;
        info.topology[kHostname] = node_;
        return info;
    }

  private:
    // Whether one of the places that are asked for is this node; a place that names no node may be.
    [[nodiscard]] bool is_here(const volume::TopologyWish& wish) const {
        return wish.preferred.empty() ||
               std::any_of(wish.preferred.begin(), wish.preferred.end(), [this](const Labels& place) {
                   const auto found = place.find(kHostname);
                   return found == place.end() || found->second == node_;
               });
    }

    const std::string node_;
    Directories directories_;
};

}  // namespace keelson::local

KEELSON_PLUGIN(keelson::local::LocalVolumes, "dev.keelson.local", "0.1.0")
