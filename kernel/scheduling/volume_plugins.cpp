// Filters on volumes: who may share them, how many fit on a node, where they can be reached.
#include <algorithm>
#include <array>
#include <set>

#include "kernel/scheduling/plugins.h"
#include "kernel/scheduling/volume_match.h"

namespace keelson::scheduling {
namespace {

std::string claim_key(const PodInfo& pod, const ClaimUse& use) {
    return pod.namespace_name() + "/" + pod.claim_name(use);
}

std::string quoted(std::string_view text) {
    return "\"" + std::string(text) + "\"";
}

std::string not_found(const std::string& claim) {
    return "persistentvolumeclaim " + quoted(claim) + " not found";
}

class VolumeRestrictions final : public FilterPlugin {
  public:
    [[nodiscard]] PluginId id() const override { return PluginId::volume_restrictions; }

    Start start(Cycle& cycle, std::string& why) const override {
        VolumeState& state = cycle.volumes;
        state.claims_for_one_pod.clear();
        state.conflicting_users = 0;
        for (const ClaimUse& use : cycle.shape.claims) {
            const std::string key = claim_key(cycle.pod, use);
            const ClaimInfo* claim = cycle.cluster.storage.claim(key);
            if (!claim) {
                // The claim of an ephemeral volume is made after the pod: VolumeBinding says so.
                if (use.claim.empty()) continue;
                why = not_found(use.claim);
                return Start::refuse;
            }
            if (!claim->is_for_one_pod()) continue;
            state.claims_for_one_pod.push_back(key);
            state.conflicting_users += cycle.cluster.claim_users(key);
        }
        const bool has_nothing = cycle.shape.disks.empty() && state.claims_for_one_pod.empty();
        return has_nothing ? Start::skip : Start::run;
    }

    [[nodiscard]] Verdict filter(const Cycle& cycle, const NodeInfo& node) const override {
        for (const DiskUse& wanted : cycle.shape.disks)
            for (const PodPointer& pod : node.pods)
                for (const DiskUse& used : pod->shape->disks)
                    if (wanted.conflicts(used))
                        return refuse(cycle, Verdict::Code::unschedulable, "node(s) had no available disk");
        if (cycle.volumes.conflicting_users > 0)
            return refuse(cycle, Verdict::Code::unschedulable,
                          "node has pod using PersistentVolumeClaim with the same name and "
                          "ReadWriteOncePod access mode");
        return {};
    }

    void change(Cycle& cycle, const PodInfo& pod, const NodeInfo&, int sign) const override {
        const std::vector<std::string>& wanted = cycle.volumes.claims_for_one_pod;
        for (const ClaimUse& use : pod.shape->claims)
            if (std::find(wanted.begin(), wanted.end(), claim_key(pod, use)) != wanted.end())
                cycle.volumes.conflicting_users += sign;
    }
};

using CsiVolumes = std::vector<std::pair<std::string, std::string>>;

// The attachable volumes of a pod by driver; a volume that does not exist yet is known by its claim.
void add_csi_volumes(const PodInfo& pod, const Storage& storage, CsiVolumes& volumes) {
    for (const ClaimUse& use : pod.shape->claims) {
        const std::string key = claim_key(pod, use);
        const ClaimInfo* claim = storage.claim(key);
        if (!claim) continue;
        if (const VolumeInfo* volume = storage.volume(claim->volume_name)) {
            if (!volume->csi_driver.empty()) volumes.emplace_back(volume->csi_driver, volume->csi_handle);
        } else if (const StorageClassInfo* found = storage.storage_class(claim->storage_class)) {
            volumes.emplace_back(found->provisioner, key);
        }
    }
    for (const std::string& driver : pod.shape->csi_drivers)
        volumes.emplace_back(driver, "inline/" + pod.uid);
}

class NodeVolumeLimits final : public FilterPlugin {
  public:
    [[nodiscard]] PluginId id() const override { return PluginId::node_volume_limits; }

    Start start(Cycle& cycle, std::string&) const override {
        cycle.volumes.csi_volumes.clear();
        if (cycle.cluster.storage.node_limits.empty()) return Start::skip;
        add_csi_volumes(cycle.pod, cycle.cluster.storage, cycle.volumes.csi_volumes);
        return cycle.volumes.csi_volumes.empty() ? Start::skip : Start::run;
    }

    [[nodiscard]] Verdict filter(const Cycle& cycle, const NodeInfo& node) const override {
        const Storage& storage = cycle.cluster.storage;
        const auto limits = storage.node_limits.find(node.name);
        if (limits == storage.node_limits.end()) return {};
        CsiVolumes there;
        for (const PodPointer& pod : node.pods) add_csi_volumes(*pod, storage, there);
        const std::set<CsiVolumes::value_type> attached(there.begin(), there.end());
        std::set<CsiVolumes::value_type> all = attached;
        all.insert(cycle.volumes.csi_volumes.begin(), cycle.volumes.csi_volumes.end());
        for (const auto& entry : limits->second) {
            const auto is_of_driver = [&](const auto& volume) { return volume.first == entry.first; };
            const auto after = std::count_if(all.begin(), all.end(), is_of_driver);
            const auto before = std::count_if(attached.begin(), attached.end(), is_of_driver);
            if (after > before && after > entry.second)
                return refuse(cycle, Verdict::Code::unschedulable, "node(s) exceed max volume count");
        }
        return {};
    }
};

class VolumeBinding final : public FilterPlugin {
  public:
    [[nodiscard]] PluginId id() const override { return PluginId::volume_binding; }

    Start start(Cycle& cycle, std::string& why) const override {
        VolumeState& state = cycle.volumes;
        state.bound.clear();
        state.waiting.clear();
        if (cycle.shape.claims.empty()) return Start::skip;
        bool waits_for_binding = false;
        for (const ClaimUse& use : cycle.shape.claims) {
            const ClaimInfo* claim = cycle.cluster.storage.claim(claim_key(cycle.pod, use));
            why = problem_of(cycle.pod, use, claim);
            if (!why.empty()) return Start::refuse;
            if (claim->is_bound)
                state.bound.push_back(claim);
            else if (claim->volume_name.empty() && waits_for_consumer(cycle.cluster.storage, *claim))
                state.waiting.push_back(claim);
            else
                waits_for_binding = true;
        }
        if (!waits_for_binding) return Start::run;
        why = "pod has unbound immediate PersistentVolumeClaims";
        return Start::refuse;
    }

    [[nodiscard]] Verdict filter(const Cycle& cycle, const NodeInfo& node) const override {
        std::vector<std::string> reasons;
        bool conflicts = false, is_missing = false;
        for (const ClaimInfo* claim : cycle.volumes.bound) {
            const VolumeInfo* volume = cycle.cluster.storage.volume(claim->volume_name);
            is_missing = is_missing || !volume;
            conflicts = conflicts ||
                        (volume && volume->limits_nodes && !volume->nodes.matches(node.labels, node.name));
        }
        const VolumePlan plan = plan_volumes(cycle.cluster.storage, cycle.volumes.waiting, node);
        if (conflicts) reasons.emplace_back("node(s) didn't match PersistentVolume's node affinity");
        if (!plan.fits) reasons.emplace_back("node(s) didn't find available persistent volumes to bind");
        if (!plan.has_space) reasons.emplace_back("node(s) did not have enough free storage");
        if (is_missing)
            reasons.emplace_back("node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)");
        if (reasons.empty()) return {};
        return {Verdict::Code::unresolvable, id(), cycle.reasons.of(std::move(reasons))};
    }

  private:
    static std::string problem_of(const PodInfo& pod, const ClaimUse& use, const ClaimInfo* claim) {
        const std::string name = pod.claim_name(use);
        if (!claim && use.claim.empty())
            return "waiting for ephemeral volume controller to create the persistentvolumeclaim " +
                   quoted(name);
        if (!claim) return not_found(name);
        if (claim->is_lost)
            return "persistentvolumeclaim " + quoted(name) + " bound to non-existent persistentvolume " +
                   quoted(claim->volume_name);
        if (claim->is_being_deleted) return "persistentvolumeclaim " + quoted(name) + " is being deleted";
        if (use.claim.empty() && claim->controller_uid != pod.uid)
            return "PVC " + pod.namespace_name() + "/" + name + " was not created for pod " +
                   pod.namespace_name() + "/" + pod.name + " (pod is not owner)";
        return {};
    }

    static bool waits_for_consumer(const Storage& storage, const ClaimInfo& claim) {
        const StorageClassInfo* found = storage.storage_class(claim.storage_class);
        return found && found->waits_for_consumer;
    }
};

// Volumes carry the zones that they can be reached from as labels; several are written "a__b".
class VolumeZone final : public FilterPlugin {
  public:
    [[nodiscard]] PluginId id() const override { return PluginId::volume_zone; }

    Start start(Cycle& cycle, std::string& why) const override {
        std::vector<const VolumeInfo*>& volumes = cycle.volumes.volumes;
        volumes.clear();
        for (const ClaimInfo* claim : cycle.volumes.bound) {
            const VolumeInfo* volume = cycle.cluster.storage.volume(claim->volume_name);
            if (!volume) {
                why = "persistentvolume " + quoted(claim->volume_name) + " not found";
                return Start::refuse;
            }
            const bool has_zone = std::any_of(kKeys.begin(), kKeys.end(), [&](const auto& keys) {
                return volume->labels.find(keys.first) || volume->labels.find(keys.second);
            });
            if (has_zone) volumes.push_back(volume);
        }
        return volumes.empty() ? Start::skip : Start::run;
    }

    [[nodiscard]] Verdict filter(const Cycle& cycle, const NodeInfo& node) const override {
        const bool has_zone = std::any_of(kKeys.begin(), kKeys.end(), [&](const auto& keys) {
            return find_either(node.labels, keys.first, keys.second) != nullptr;
        });
        if (!has_zone) return {};
        for (const VolumeInfo* volume : cycle.volumes.volumes) {
            for (const auto& [key, old_key] : kKeys) {
                const std::string* zones = find_either(volume->labels, key, old_key);
                if (!zones) continue;
                const std::string* zone = find_either(node.labels, key, old_key);
                if (!zone || !contains(*zones, *zone))
                    return refuse(cycle, Verdict::Code::unresolvable, "node(s) had no available volume zone");
            }
        }
        return {};
    }

  private:
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 2> kKeys = {{
        {"topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"},
        {"topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region"},
    }};

    static const std::string* find_either(const Labels& labels, std::string_view key, std::string_view old) {
        const std::string* found = labels.find(key);
        return found ? found : labels.find(old);
    }

    static bool contains(std::string_view zones, std::string_view zone) {
        while (true) {
            const std::size_t end = zones.find("__");
            if (zones.substr(0, end) == zone) return true;
            if (end == std::string_view::npos) return false;
            zones.remove_prefix(end + 2);
        }
    }
};

}  // namespace

std::unique_ptr<FilterPlugin> make_volume_restrictions() {
    return std::make_unique<VolumeRestrictions>();
}
std::unique_ptr<FilterPlugin> make_node_volume_limits() {
    return std::make_unique<NodeVolumeLimits>();
}
std::unique_ptr<FilterPlugin> make_volume_binding() {
    return std::make_unique<VolumeBinding>();
}
std::unique_ptr<FilterPlugin> make_volume_zone() {
    return std::make_unique<VolumeZone>();
}

}  // namespace keelson::scheduling
