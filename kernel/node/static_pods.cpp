#include "kernel/node/static_pods.h"

#include <algorithm>
#include <filesystem>

#include "kernel/base/files.h"
#include "kernel/base/log.h"
#include "kernel/client/collections.h"
#include "kernel/node/pod_plan.h"
#include "kernel/object/accessors/core_v1.h"
#include "kernel/object/accessors/meta_v1.h"
#include "kernel/object/yaml.h"

namespace keelson::node {
namespace {

namespace core_v1 = api_types::core_v1;
using base::Reason;
using base::Result;
using base::Status;
using base::Task;
using object::Value;

constexpr base::Duration kInterval = std::chrono::seconds(2);
constexpr std::size_t kLargestManifest = 1 << 20;
constexpr std::size_t kMostManifests = 1000;
constexpr std::string_view kMirror = "kubernetes.io/config.mirror";
constexpr std::string_view kHash = "kubernetes.io/config.hash";
constexpr std::string_view kSource = "kubernetes.io/config.source";

std::string_view mark_of(const client::CachedObject& pod) {
    return core_v1::Pod(pod.root()).metadata().annotations()[kMirror];
}

bool is_manifest(const std::filesystem::path& path) {
    const std::string name = path.filename().string();
    return !name.starts_with('.') &&
           (path.extension() == ".yaml" || path.extension() == ".yml" || path.extension() == ".json");
}

// The texts by path. Blocks.
std::map<std::string, std::string> read_manifests(const std::string& directory) {
    std::map<std::string, std::string> texts;
    std::error_code problem;
    for (const auto& entry : std::filesystem::directory_iterator(directory, problem)) {
        if (!is_manifest(entry.path()) || texts.size() >= kMostManifests) continue;
        if (auto text = base::read_file(entry.path().string(), kLargestManifest))
            texts.emplace(entry.path().string(), std::move(*text));
    }
    return texts;
}

}  // namespace

Result<client::ObjectPointer> static_pod(std::string_view text, const std::string& path,
                                         const client::CachedObject& node) {
    const std::string& node_name = node.key().name;
    object::Document document;
    KEELSON_TRY(document.root, object::parse_yaml(text, document.arena));
    object::Arena& arena = document.arena;
    if (document.root["kind"].as_string() != "Pod" || document.root["apiVersion"].as_string() != "v1")
        return Status(Reason::invalid, path + " is not a Pod of v1: only pods can be in this directory");
    const core_v1::Pod pod(document.root);
    if (pod.metadata().name().empty()) return Status(Reason::invalid, path + ": the pod needs a name");
    const auto metadata = pod.make_metadata(arena);
    const std::string hash = make_sandbox_id(path + "\n" + std::string(text), 0).substr(0, 32);
    metadata.set_name(arena, std::string(pod.metadata().name()) + "-" + node_name);
    if (metadata.namespace_().empty()) metadata.set_namespace(arena, "default");
    const auto annotations = metadata.make_annotations(arena);
    annotations.set(arena, kMirror, std::string_view(hash));
    annotations.set(arena, kHash, std::string_view(hash));
    annotations.set(arena, kSource, "file");
    metadata.clear_owner_references();
    const auto owner = metadata.make_owner_references(arena).add(arena);
    owner.set_api_version(arena, "v1");
    owner.set_kind(arena, "Node");
    owner.set_name(arena, node_name);
    owner.set_uid(arena, node.uid());
    owner.set_controller(arena, true);
    pod.make_spec(arena).set_node_name(arena, node_name);
    return std::make_shared<const client::CachedObject>(document.root, "Pod", "v1");
}

Task<void> StaticPods::run() {
    if (settings_.static_pod_directory.empty()) co_return;
    while (true) {
        auto looking = look();
        co_await looking;
        auto waiting = pause_.sleep(kInterval);
        const bool goes_on = co_await waiting;
        if (!goes_on) co_return;
    }
}

Task<void> StaticPods::look() {
    auto work = [directory = settings_.static_pod_directory] { return read_manifests(directory); };
    auto reading = base::blocking(std::move(work));
    const std::map<std::string, std::string> texts = co_await reading;
    const client::ObjectPointer node = nodes_.get({"", settings_.name});
    if (!node) co_return;
    Wanted wanted;
    for (const auto& [path, text] : texts) {
        auto pod = static_pod(text, path, *node);
        if (pod) {
            const client::ObjectKey key = (*pod)->key();
            wanted.emplace(key, std::move(*pod));
            continue;
        }
        std::string& told = told_[path];
        if (told != pod.error().message())
            base::log_warning("a manifest is no static pod", {{"path", path}, {"reason", pod.error()}});
        told = pod.error().message();
    }
    for (const client::ObjectPointer& present : pods_.list())
        if (!mark_of(*present).empty() && !wanted.contains(present->key())) {
            auto removing = remove(present);
            co_await removing;
        }
    for (const auto& [key, pod] : wanted) {
        auto bringing = bring(pod);
        co_await bringing;
    }
}

Task<void> StaticPods::bring(client::ObjectPointer wanted) {
    const client::ObjectPointer present = pods_.get(wanted->key());
    if (present) {
        // It comes when the one before has gone.
        if (mark_of(*present) != mark_of(*wanted)) {
            auto removing = remove(present);
            co_await removing;
        }
        co_return;
    }
    const object::Document copy = wanted->clone();
    auto creating =
        parts_.client.create(client::collections::pods.address(wanted->key().namespace_name), copy.root, {});
    const client::Client::Object created = co_await creating;
    if (created || created.error().code() == 409) co_return;
    std::string& told = told_[wanted->key().text()];
    if (told != created.error().message())
        base::log_warning("a static pod was refused",
                          {{"pod", wanted->key().text()}, {"reason", created.error()}});
    told = created.error().message();
}

Task<void> StaticPods::remove(client::ObjectPointer present) {
    if (present->is_being_deleted()) co_return;
    client::DeleteOptions options;
    options.preconditions.uid = std::string(present->uid());
    const client::ObjectKey& key = present->key();
    auto removing = parts_.client.remove(client::collections::pods.address(key.namespace_name, key.name),
                                         std::move(options));
    (void)co_await removing;  // the next look tries again
}

}  // namespace keelson::node
