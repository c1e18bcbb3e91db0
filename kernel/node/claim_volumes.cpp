#include "kernel/node/claim_volumes.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "kernel/client/collections.h"
#include "kernel/node/volume_directories.h"
#include "kernel/object/accessors/meta_v1.h"

namespace keelson::node {
namespace {

namespace core_v1 = api_types::core_v1;
namespace collections = client::collections;

using base::Reason;
using base::Result;
using base::Status;
using base::Task;
using client::ObjectPointer;
using object::Document;

std::string quoted(std::string_view text) {
    return "\"" + std::string(text) + "\"";
}

Status not_found(std::string_view kind, std::string_view name, const Status& why) {
    if (why.reason() != Reason::not_found) return why;
    return {Reason::not_found, std::string(kind) + " " + quoted(name) + " not found"};
}

bool is_made_for(core_v1::PersistentVolumeClaim claim, const ObjectPointer& pod) {
    for (const auto owner : claim.metadata().owner_references())
        if (owner.controller() && owner.uid() == pod->uid()) return true;
    return false;
}

// Whether the pod may have it now.
Result<void> check_claim(core_v1::PersistentVolumeClaim claim, const ObjectPointer& pod, bool is_ephemeral) {
    const std::string name(claim.metadata().name());
    if (is_ephemeral && !is_made_for(claim, pod))
        return Status(Reason::conflict, "PVC " + pod->key().namespace_name + "/" + name +
                                            " was not created for pod " + pod->key().text() +
                                            " (pod is not owner)");
    // One that runs has it already, whatever this process knows of it.
    const bool is_running = core_v1::Pod(pod->root()).status().phase() == "Running";
    if (claim.metadata().has_deletion_timestamp() && !is_running)
        return Status(Reason::conflict, "can't start pod because PVC " + quoted(name) + " is being deleted");
    if (claim.status().phase() != "Bound" || claim.spec().volume_name().empty())
        return Status(Reason::service_unavailable, "PVC " + quoted(name) + " is not bound");
    return base::ok();
}

bool is_for_one_node(core_v1::PersistentVolumeSpec spec) {
    return std::ranges::all_of(spec.access_modes(), [](std::string_view mode) {
        return mode == "ReadWriteOnce" || mode == "ReadWriteOncePod";
    });
}

PublishRequest request_of(const ObjectPointer& pod, core_v1::PersistentVolumeSpec spec) {
    const auto source = spec.csi();
    PublishRequest request;
    request.volume_id = source.volume_handle();
    request.file_system = source.fs_type();
    request.is_read_only = source.read_only();
    if (!spec.access_modes().empty()) request.access_mode = spec.access_modes()[0];
    for (const std::string_view option : spec.mount_options()) request.mount_options.emplace_back(option);
    for (const auto& [name, value] : source.volume_attributes())
        request.attributes[std::string(name)] = value;
    const core_v1::Pod typed(pod->root());
    request.pod.name = pod->key().name;
    request.pod.namespace_name = pod->key().namespace_name;
    request.pod.uid = pod->uid();
    request.service_account = typed.spec().service_account_name();
    return request;
}

Task<Result<MountedVolume>> prepare_path(std::string path, std::string type, bool is_read_only) {
    auto prepare = [path, type = std::move(type)] { return prepare_host_path(path, type); };
    auto preparing = base::blocking(std::move(prepare));
    const Result<void> prepared = co_await preparing;
    if (!prepared) co_return prepared.error();
    co_return MountedVolume{path, is_read_only};
}

}  // namespace

Task<Result<MountedVolume>> ClaimVolumes::prepare(ObjectPointer pod, core_v1::Volume volume,
                                                  std::string directory) {
    MountedVolumes& known = prepared_[std::string(pod->uid())];
    const std::string name(volume.name());
    if (const auto found = known.find(name); found != known.end()) co_return found->second;
    auto finding = find(pod, volume, std::move(directory));
    Result<MountedVolume> mounted = co_await finding;
    if (mounted) prepared_[std::string(pod->uid())][name] = *mounted;
    co_return mounted;
}

Task<Result<MountedVolume>> ClaimVolumes::find(ObjectPointer pod, core_v1::Volume volume,
                                               std::string directory) {
    const bool is_ephemeral = volume.has_ephemeral();
    const std::string name = is_ephemeral ? pod->key().name + "-" + std::string(volume.name())
                                          : std::string(volume.persistent_volume_claim().claim_name());
    const bool is_read_only = !is_ephemeral && volume.persistent_volume_claim().read_only();
    auto asking = client_.get(collections::persistent_volume_claims.address(pod->key().namespace_name, name));
    const Result<Document> claim = co_await asking;
    if (!claim) co_return not_found("persistentvolumeclaim", name, claim.error());
    const core_v1::PersistentVolumeClaim typed(claim->root);
    const Result<void> checked = check_claim(typed, pod, is_ephemeral);
    if (!checked) co_return checked.error();
    const std::string bound_to(typed.spec().volume_name());
    auto finding = client_.get(collections::persistent_volumes.address({}, bound_to));
    const Result<Document> found = co_await finding;
    if (!found) co_return not_found("persistentvolume", bound_to, found.error());
    const core_v1::PersistentVolumeSpec spec = core_v1::PersistentVolume(found->root).spec();
    if (spec.claim_ref().uid() != typed.metadata().uid())
        co_return Status(Reason::conflict,
                         "PV " + quoted(bound_to) + " is bound to another claim than PVC " + quoted(name));
    if (spec.volume_mode() == "Block")
        co_return Status(Reason::bad_request, "volumes as block devices are not served here");
    if (spec.has_host_path() || spec.has_local()) {
        auto preparing = spec.has_local()
                             ? prepare_path(std::string(spec.local().path()), "Directory", is_read_only)
                             : prepare_path(std::string(spec.host_path().path()),
                                            std::string(spec.host_path().type()), is_read_only);
        co_return co_await preparing;
    }
    if (!spec.has_csi()) co_return Status(Reason::bad_request, "no volume plugin matched");
    const auto security = core_v1::Pod(pod->root()).spec().security_context();
    std::optional<gid_t> group;
    if (security.has_fs_group() && is_for_one_node(spec) && !spec.csi().read_only())
        group = static_cast<gid_t>(security.fs_group());
    auto publishing = published_.publish_request(std::string(spec.csi().driver()), request_of(pod, spec),
                                                 group, directory + "/" + bound_to);
    const Result<std::string> path = co_await publishing;
    if (!path) co_return path.error();
    co_return MountedVolume{*path, is_read_only || spec.csi().read_only()};
}

}  // namespace keelson::node
