#include "cli/kube/local.h"

#include "cli/kube/writing.h"
#include "kernel/object/json.h"
#include "kernel/object/patch.h"
#include "kernel/object/schema.h"

namespace keelson::cli::kube {
namespace {

Result<object::Value> apply_patch(const Object& object, const std::string& type, object::Value target,
                                  object::Value patch, object::Arena& arena) {
    if (type == kMergePatch) return object::merge_patch(target, patch, arena);
    if (type == kJsonPatch) {
        auto patched = object::json_patch(target, patch, arena);
        if (!patched) return fail(patched.error().message());
        return *patched;
    }
    const Resource resource = resource_by_itself(object);
    const object::Type* known = object::find_kind(resource.group, resource.version, resource.kind);
    if (known == nullptr)
        return fail("strategic merge patch is not supported for " + text_at(object, "apiVersion") +
                    ", Kind=" + resource.kind + " locally, try --type merge");
    auto patched = object::strategic_merge_patch(*known, target, patch, arena);
    if (!patched) return fail(patched.error().message());
    return *patched;
}

}  // namespace

Resource resource_by_itself(const Object& object) {
    Resource resource;
    const std::string version = text_at(object, "apiVersion");
    const std::size_t slash = version.find('/');
    if (slash != std::string::npos) resource.group = version.substr(0, slash);
    resource.version = version.substr(slash == std::string::npos ? 0 : slash + 1);
    resource.kind = text_at(object, "kind");
    resource.singular = lower_case(resource.kind);
    resource.plural = resource.singular;
    return resource;
}

Result<void> for_each_local(const FileFlags& files, const ItemWork& work) {
    if (files.filenames.empty() && files.kustomize.empty()) return tl::unexpected(nothing_named());
    Failures failures;
    const auto manifests = read_manifests(files, failures);
    if (!manifests) return pass_on(manifests);
    for (const Manifest& manifest : *manifests) {
        const Resource resource = resource_by_itself(manifest.object);
        Item item{.resource = &resource,
                  .namespace_name = namespace_of(manifest.object),
                  .name = name_of(manifest.object),
                  .object = manifest.object,
                  .source = manifest.source};
        if (auto done = work(item); !done) failures.add(done.error());
    }
    return failures.result();
}

Result<Object> patched_locally(const Object& object, const std::string& type, const std::string& patch) {
    object::Arena arena;
    const std::string before = compact(object);
    const auto target = object::parse_json(before, arena);
    if (!target) return fail(target.error().message());
    const auto change = object::parse_json(patch, arena);
    if (!change) return fail(change.error().message());
    const auto after = apply_patch(object, type, *target, *change, arena);
    if (!after) return pass_on(after);
    return parse_object(object::to_json(*after), "the patched object");
}

}  // namespace keelson::cli::kube
