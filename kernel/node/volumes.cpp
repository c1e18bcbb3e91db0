#include "kernel/node/volumes.h"

#include <fcntl.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>
#include <utility>

#include "kernel/node/claim_volumes.h"
#include "kernel/node/container_settings.h"
#include "kernel/node/inline_volumes.h"
#include "kernel/node/safe_files.h"
#include "kernel/node/volume_directories.h"
#include "kernel/node/volume_files.h"
#include "kernel/node/volume_sources.h"
#include "kernel/object/accessors/core_v1.h"
#include "kernel/object/accessors/meta_v1.h"
#include "kernel/object/quantity.h"

namespace keelson::node {
namespace {

namespace core_v1 = api_types::core_v1;

using base::Reason;
using base::Result;
using base::Status;
using base::Task;
using client::ObjectPointer;

// The names of the volumes that containers use: others are not prepared.
std::set<std::string_view> used_volumes(core_v1::PodSpec spec) {
    std::set<std::string_view> names;
    for (const object::Value list : {spec.init_containers().untyped(), spec.containers().untyped(),
                                     spec.ephemeral_containers().untyped()})
        for (const core_v1::Container container : object::ListView<core_v1::Container>(list))
            for (const core_v1::VolumeMount mount : container.volume_mounts()) names.insert(mount.name());
    return names;
}

std::optional<gid_t> group_of(const ObjectPointer& pod) {
    const auto security = core_v1::Pod(pod->root()).spec().security_context();
    return security.has_fs_group() ? std::optional(static_cast<gid_t>(security.fs_group())) : std::nullopt;
}

// A uid is part of paths: it comes from the API or from the disk.
bool is_safe_name(const std::string& name) {
    return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos;
}

// "kubernetes.io~configmap"; empty: not of files.
std::string_view files_directory(core_v1::Volume volume) {
    if (volume.has_config_map()) return "kubernetes.io~configmap";
    if (volume.has_secret()) return "kubernetes.io~secret";
    if (volume.has_downward_api()) return "kubernetes.io~downward-api";
    return volume.has_projected() ? "kubernetes.io~projected" : "";
}

Result<void> make_files_directory(const std::string& path, bool is_in_memory, std::optional<gid_t> group) {
    if (!is_in_memory) return base::make_directory(path, 0755);
    MemoryDirectory wanted;
    wanted.mode = 0755;
    wanted.group = group;
    return make_memory_directory(path, wanted);
}

// Where other volumes are mounted within this one, as relative paths: their directories have to be there,
// because nobody can make them in a volume that is read-only.
std::vector<std::string> mounts_within(core_v1::PodSpec spec, std::string_view volume) {
    std::vector<std::string> found;
    const auto look = [&](core_v1::Container container) {
        for (const core_v1::VolumeMount outer : container.volume_mounts()) {
            if (outer.name() != volume || !outer.sub_path().empty() || !outer.sub_path_expr().empty())
                continue;
            std::string prefix(outer.mount_path());
            if (!prefix.ends_with('/')) prefix += '/';
            for (const core_v1::VolumeMount inner : container.volume_mounts())
                if (inner.mount_path().starts_with(prefix))
                    found.emplace_back(inner.mount_path().substr(prefix.size()));
        }
    };
    for (const core_v1::Container container : spec.init_containers()) look(container);
    for (const core_v1::Container container : spec.containers()) look(container);
    return found;
}

Result<void> make_mount_points(const std::string& path, const std::vector<std::string>& points) {
    if (points.empty()) return {};
    KEELSON_TRY(const auto directory, base::open_file(path, O_PATH | O_DIRECTORY));
    for (const std::string& point : points) {
        KEELSON_TRY([[maybe_unused]] const auto made, make_beneath(directory.get(), point, 0755));
    }
    return {};
}

Result<void> make_empty_dir(const std::string& path, const std::string& medium, const std::string& size_limit,
                            std::optional<std::int64_t> pod_limit_bytes, std::optional<gid_t> group) {
    if (medium.empty()) return make_empty_directory(path, group);
    if (medium != "Memory")
        return Status(Reason::bad_request,
                      "emptyDir medium \"" + medium + "\" is not served, use Memory or none");
    MemoryDirectory wanted;
    wanted.group = group;
    if (!size_limit.empty()) {
        KEELSON_TRY(const object::Quantity limit, object::Quantity::parse(size_limit));
        if (limit.value() > 0) wanted.size_bytes = limit.value();
    }
    // The pod pays for it: more than it may use is of no use.
    if (pod_limit_bytes)
        wanted.size_bytes = std::min(wanted.size_bytes.value_or(*pod_limit_bytes), *pod_limit_bytes);
    return make_memory_directory(path, wanted);
}

Result<void> remove_pod(const std::string& directory) {
    KEELSON_TRY(const auto mounts, mounts_below(directory));
    for (const std::string& path : mounts) KEELSON_TRY_VOID(unmount(path));
    return remove_tree(directory);
}

std::vector<std::string> names_of_directories(const std::string& path) {
    std::vector<std::string> names;
    std::error_code failed;
    for (std::filesystem::directory_iterator at(path, failed), end; !failed && at != end;
         at.increment(failed))
        if (at->is_directory(failed)) names.push_back(at->path().filename());
    return names;
}

class NodeVolumes final : public Volumes {
  public:
    NodeVolumes(VolumeSettings settings, client::Client& client, ObjectCache& objects, VolumeDrivers& drivers)
        : pods_(settings.root_directory + "/pods"),
          objects_(objects),
          sources_(std::move(settings.node_name), client, objects),
          inline_volumes_(objects, drivers),
          claim_volumes_(client, inline_volumes_) {}

    Task<Result<MountedVolumes>> prepare(ObjectPointer pod) override {
        const core_v1::PodSpec spec = core_v1::Pod(pod->root()).spec();
        const auto used = used_volumes(spec);
        MountedVolumes mounted;
        std::optional<Status> failure;
        for (const core_v1::Volume volume : spec.volumes()) {
            if (!used.contains(volume.name())) continue;
            auto preparing = prepare_one(pod, volume);
            Result<MountedVolume> one = co_await preparing;
            if (one)
                mounted[std::string(volume.name())] = std::move(*one);
            else if (!failure)
                failure = one.error().with_context("MountVolume.SetUp failed for volume \"" +
                                                   std::string(volume.name()) + "\" : ");
        }
        if (failure) co_return *failure;
        co_return mounted;
    }

    Task<Result<void>> take_down(std::string pod_uid) override {
        if (!is_safe_name(pod_uid))
            co_return Status(Reason::invalid, "\"" + pod_uid + "\" cannot be the uid of a pod");
        const std::string directory = pods_ + "/" + pod_uid;
        auto undoing = inline_volumes_.unpublish_all(directory + "/volumes");
        const Result<void> undone = co_await undoing;
        if (!undone) co_return undone.error();
        auto remove = [directory] { return remove_pod(directory); };
        auto removing = base::blocking(std::move(remove));
        const Result<void> removed = co_await removing;
        if (!removed) co_return removed.error();
        sources_.forget(pod_uid);
        claim_volumes_.forget(pod_uid);
        objects_.release(pod_uid);
        co_return base::ok();
    }

    Task<std::vector<std::string>> known_pods() override {
        auto list = [path = pods_] { return names_of_directories(path); };
        auto listing = base::blocking(std::move(list));
        co_return co_await listing;
    }

  private:
    [[nodiscard]] std::string directory_of(const ObjectPointer& pod, std::string_view kind,
                                           core_v1::Volume volume) const {
        return pods_ + "/" + std::string(pod->uid()) + "/volumes/" + std::string(kind) + "/" +
               std::string(volume.name());
    }

    Task<Result<MountedVolume>> prepare_one(ObjectPointer pod, core_v1::Volume volume) {
        if (!is_safe_name(std::string(pod->uid())) || !is_safe_name(std::string(volume.name())))
            co_return Status(Reason::invalid, "its name cannot be part of a path");
        if (volume.has_empty_dir()) {
            auto preparing = prepare_empty_dir(pod, volume);
            co_return co_await preparing;
        }
        if (volume.has_host_path()) {
            auto preparing = prepare_host(volume.host_path());
            co_return co_await preparing;
        }
        if (!files_directory(volume).empty()) {
            auto preparing = prepare_files(pod, volume);
            co_return co_await preparing;
        }
        if (volume.has_csi()) {
            auto publishing =
                inline_volumes_.publish(pod, volume, directory_of(pod, "kubernetes.io~csi", volume));
            Result<std::string> path = co_await publishing;
            if (!path) co_return path.error();
            co_return MountedVolume{std::move(*path), volume.csi().read_only()};
        }
        if (volume.has_persistent_volume_claim() || volume.has_ephemeral()) {
            auto preparing = claim_volumes_.prepare(
                pod, volume, pods_ + "/" + std::string(pod->uid()) + "/volumes/kubernetes.io~csi");
            co_return co_await preparing;
        }
        co_return refusal(volume);
    }

    // What is left is no longer part of Kubernetes.
    static Status refusal(core_v1::Volume volume) {
        if (volume.has_image())
            return {Reason::bad_request,
                    "volumes of images are not served here; copy the files with an init "
                    "container of that image into an emptyDir"};
        return {Reason::bad_request, "no volume plugin matched"};
    }

    Task<Result<MountedVolume>> prepare_empty_dir(ObjectPointer pod, core_v1::Volume volume) {
        const std::string path = directory_of(pod, "kubernetes.io~empty-dir", volume);
        auto make = [path, medium = std::string(volume.empty_dir().medium()),
                     limit = std::string(volume.empty_dir().size_limit()),
                     pod_limit = pod_limits(pod->root()).memory_limit_bytes,
                     group = group_of(pod)] { return make_empty_dir(path, medium, limit, pod_limit, group); };
        auto making = base::blocking(std::move(make));
        const Result<void> made = co_await making;
        if (!made) co_return made.error();
        co_return MountedVolume{path, false};
    }

    static Task<Result<MountedVolume>> prepare_host(core_v1::HostPathVolumeSource source) {
        const std::string path(source.path());
        auto prepare = [path, type = std::string(source.type())] { return prepare_host_path(path, type); };
        auto preparing = base::blocking(std::move(prepare));
        const Result<void> prepared = co_await preparing;
        if (!prepared) co_return prepared.error();
        co_return MountedVolume{path, false};
    }

    Task<Result<MountedVolume>> prepare_files(ObjectPointer pod, core_v1::Volume volume) {
        auto gathering = sources_.files_of(pod, volume);
        Result<VolumeFiles> files = co_await gathering;
        if (!files) co_return files.error();
        base::Executor& executor = co_await base::current_executor();
        const std::string path = directory_of(pod, files_directory(volume), volume);
        // A configMap alone is no secret.
        auto write = [path, files = std::move(*files), is_in_memory = !volume.has_config_map(),
                      group = group_of(pod), now = executor.clock().wall_now(),
                      points =
                          mounts_within(core_v1::Pod(pod->root()).spec(), volume.name())]() -> Result<void> {
            KEELSON_TRY_VOID(base::make_directory(base::directory_of(path), 0750));
            KEELSON_TRY_VOID(make_files_directory(path, is_in_memory, group));
            KEELSON_TRY([[maybe_unused]] const bool has_changed, write_volume_files(path, files, group, now));
            return make_mount_points(path, points);
        };
        auto writing = base::blocking(std::move(write));
        const Result<void> written = co_await writing;
        if (!written) co_return written.error();
        co_return MountedVolume{path, true};
    }

    std::string pods_;
    ObjectCache& objects_;
    VolumeSources sources_;
    InlineVolumes inline_volumes_;
    ClaimVolumes claim_volumes_;
};

}  // namespace

std::unique_ptr<Volumes> Volumes::make(VolumeSettings settings, client::Client& client, ObjectCache& objects,
                                       VolumeDrivers& drivers, base::Executor&) {
    return std::make_unique<NodeVolumes>(std::move(settings), client, objects, drivers);
}

}  // namespace keelson::node
