#include "kernel/node/status_writer.h"

#include "kernel/client/collections.h"
#include "kernel/object/conditions.h"

namespace keelson::node {

namespace core_v1 = api_types::core_v1;
using base::Result;
using base::Task;

constexpr std::string_view kFieldManager = "kubelet";

Task<Result<void>> StatusWriter::write(std::shared_ptr<PodRecord> record, StatusSurroundings surroundings) {
    const object::Document status = make_pod_status(*record, surroundings);
    if (object::is_same_status(status.root, record->object().status().untyped())) co_return base::ok();
    object::Document changed = record->pod->clone();
    changed.root.set(changed.arena, "status", status.root.clone(changed.arena));
    const client::ObjectKey key = record->pod->key();
    client::WriteOptions own_write;
    own_write.field_manager = kFieldManager;
    auto writing = client_.update_status(client::collections::pods.address(key.namespace_name, key.name),
                                         changed.root, own_write);
    client::Client::Object written = co_await writing;
    if (!written) co_return std::move(written).error();
    if (written->root["metadata"]["uid"].as_string() != record->uid) co_return base::ok();
    // The next look must not start from an older status than its own, nor from an older pod than the informer
    // has brought meanwhile.
    auto own = std::make_shared<const client::CachedObject>(written->root, "Pod", "v1");
    if (own->revision() > record->pod->revision()) record->pod = std::move(own);
    co_return base::ok();
}

Task<Result<void>> StatusWriter::remove(std::shared_ptr<PodRecord> record) {
    const client::ObjectKey key = record->pod->key();
    client::DeleteOptions options;
    options.grace_period_seconds = 0;
    options.preconditions.uid = record->uid;
    auto removing =
        client_.remove(client::collections::pods.address(key.namespace_name, key.name), std::move(options));
    client::Client::Object removed = co_await removing;
    if (removed || removed.error().code() == 404 || removed.error().code() == 409) co_return base::ok();
    co_return std::move(removed).error();
}

}  // namespace keelson::node
