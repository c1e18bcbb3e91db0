#include "kernel/node/inline_volumes.h"

#include <fmt/format.h>

#include <filesystem>
#include <utility>
#include <vector>

#include "kernel/base/base64.h"
#include "kernel/base/files.h"
#include "kernel/base/sha256.h"
#include "kernel/client/collections.h"
#include "kernel/node/safe_files.h"
#include "kernel/object/accessors/meta_v1.h"
#include "kernel/object/json.h"

namespace keelson::node {
namespace {

namespace core_v1 = api_types::core_v1;

using base::Reason;
using base::Result;
using base::Status;
using base::Task;
using client::ObjectPointer;

constexpr const char* kRecord = "/vol_data.json";

// "csi-<SHA-256 of the pod's uid and the volume's name>": the same again after a restart.
std::string handle_of(std::string_view pod_uid, std::string_view volume_name) {
    std::string text(pod_uid);
    text += volume_name;
    return "csi-" + base::hexadecimal(base::sha256_of(text));
}

// What has to be known to undo a publication.
struct Record {
    std::string driver;
    std::string volume_id;
};

Result<void> write_record(const std::string& directory, const Record& record) {
    KEELSON_TRY_VOID(base::make_directory(directory, 0750));
    std::string text = "{\"driverName\":";
    object::write_json_string(record.driver, text);
    text += ",\"volumeHandle\":";
    object::write_json_string(record.volume_id, text);
    return replace_file(directory + kRecord, text + "}\n", 0600);
}

// Empty when nothing was ever published there.
Result<Record> read_record(const std::string& directory) {
    const auto text = base::read_file(directory + kRecord, 64 << 10);
    if (!text) {
        if (text.error().reason() == Reason::not_found) return Record();
        return text.error();
    }
    object::Arena arena;
    KEELSON_TRY(const object::Value root, object::parse_json(*text, arena));
    return Record{root["driverName"].to_string(), root["volumeHandle"].to_string()};
}

std::vector<std::string> directories_in(const std::string& path) {
    std::vector<std::string> found;
    std::error_code failed;
    for (std::filesystem::directory_iterator at(path, failed), end; !failed && at != end;
         at.increment(failed))
        found.push_back(at->path());
    return found;
}

Status no_driver(const std::string& driver) {
    return {Reason::service_unavailable,
            "kubernetes.io/csi: mounter.SetUpAt failed to get CSI client: driver name " + driver +
                " not found in the list of registered CSI drivers"};
}

void add_pod(PublishRequest& request, core_v1::Pod pod) {
    const auto metadata = pod.metadata();
    request.pod.name = metadata.name();
    request.pod.namespace_name = metadata.namespace_();
    request.pod.uid = metadata.uid();
    request.service_account = pod.spec().service_account_name();
    request.attributes["csi.storage.k8s.io/pod.name"] = request.pod.name;
    request.attributes["csi.storage.k8s.io/pod.namespace"] = request.pod.namespace_name;
    request.attributes["csi.storage.k8s.io/pod.uid"] = request.pod.uid;
    request.attributes["csi.storage.k8s.io/serviceAccount.name"] = request.service_account;
    request.attributes["csi.storage.k8s.io/ephemeral"] = "true";
}

}  // namespace

Task<Result<PublishRequest>> InlineVolumes::request_of(ObjectPointer pod, core_v1::CSIVolumeSource source,
                                                       std::string volume_name) {
    PublishRequest request;
    request.volume_id = handle_of(pod->uid(), volume_name);
    request.file_system = source.fs_type();
    request.is_read_only = source.read_only();
    for (const auto& [name, value] : source.volume_attributes())
        request.attributes[std::string(name)] = value;
    add_pod(request, core_v1::Pod(pod->root()));
    const std::string_view secret_name = source.node_publish_secret_ref().name();
    if (secret_name.empty()) co_return request;
    auto getting = objects_.get(client::collections::secrets,
                                {request.pod.namespace_name, std::string(secret_name)}, request.pod.uid);
    const Result<ObjectPointer> secret = co_await getting;
    if (!secret)
        co_return Status(secret.error().reason(),
                         fmt::format("fetching NodePublishSecretRef {}/{} failed: {}",
                                     request.pod.namespace_name, secret_name, secret.error().message()));
    for (const auto& [key, text] : core_v1::Secret((*secret)->root()).data())
        request.secrets[std::string(key)] = base::base64_decode(text).value_or("");
    co_return request;
}

Task<Result<std::string>> InlineVolumes::publish(ObjectPointer pod, core_v1::Volume volume,
                                                 std::string directory) {
    if (published_.contains(directory)) co_return directory + "/mount";
    const std::string driver(volume.csi().driver());
    if (!drivers_.has(driver)) co_return no_driver(driver);
    auto making = request_of(pod, volume.csi(), std::string(volume.name()));
    Result<PublishRequest> request = co_await making;
    if (!request) co_return request.error();
    const bool wants_group = !request->file_system.empty() && !request->is_read_only;
    const auto security = core_v1::Pod(pod->root()).spec().security_context();
    std::optional<gid_t> group;
    if (wants_group && security.has_fs_group()) group = static_cast<gid_t>(security.fs_group());
    auto publishing = publish_request(driver, std::move(*request), group, directory);
    co_return co_await publishing;
}

Task<Result<std::string>> InlineVolumes::publish_request(std::string driver, PublishRequest request,
                                                         std::optional<gid_t> group, std::string directory) {
    const std::string path = directory + "/mount";
    if (published_.contains(directory)) co_return path;
    if (!drivers_.has(driver)) co_return no_driver(driver);
    request.path = path;
    auto record = [directory, record = Record{driver, request.volume_id}] {
        return write_record(directory, record);
    };
    auto recording = base::blocking(std::move(record));
    const Result<void> recorded = co_await recording;
    if (!recorded) co_return recorded.error();
    auto publishing = drivers_.publish(driver, std::move(request));
    const Result<void> done = co_await publishing;
    if (!done) co_return done.error();
    if (group) {
        auto give = [path, group = *group] { return give_to_group(path, group); };
        auto giving = base::blocking(std::move(give));
        const Result<void> given = co_await giving;
        if (!given) co_return given.error();
    }
    published_.insert(directory);
    co_return path;
}

Task<Result<void>> InlineVolumes::unpublish(std::string directory) {
    auto read = [directory] { return read_record(directory); };
    auto reading = base::blocking(std::move(read));
    const Result<Record> record = co_await reading;
    if (!record) co_return record.error();
    if (record->driver.empty()) co_return base::ok();
    auto undoing = drivers_.unpublish(record->driver, record->volume_id, directory + "/mount");
    const Result<void> undone = co_await undoing;
    if (!undone) co_return undone.error();
    published_.erase(directory);
    // Said once: the driver may be gone when the rest of the pod is tried again.
    auto forget = [directory] { return base::remove_file(directory + kRecord); };
    auto forgetting = base::blocking(std::move(forget));
    co_return co_await forgetting;
}

Task<Result<void>> InlineVolumes::unpublish_all(std::string volumes_directory) {
    auto list = [path = volumes_directory + "/kubernetes.io~csi"] { return directories_in(path); };
    auto listing = base::blocking(std::move(list));
    const std::vector<std::string> directories = co_await listing;
    Result<void> first = base::ok();
    for (const std::string& directory : directories) {
        auto undoing = unpublish(directory);
        Result<void> undone = co_await undoing;
        if (!undone && first) first = std::move(undone);
    }
    co_return first;
}

}  // namespace keelson::node
