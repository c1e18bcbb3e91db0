#include "cli/kube/takeover.h"

#include "cli/kube/writing.h"

namespace keelson::cli::kube {
namespace {

constexpr const char* kClientSideManager = "kubectl-client-side-apply";
constexpr const char* kLastAppliedManager = "kubectl-last-applied";

bool is_client_side(const Object& entry) {
    return text_at(entry, "manager") == kClientSideManager && text_at(entry, "operation") == "Update" &&
           text_at(entry, "subresource").empty();
}

bool is_of(const Object& entry, const std::string& manager, const std::string& api_version) {
    return text_at(entry, "manager") == manager && text_at(entry, "operation") == "Apply" &&
           text_at(entry, "apiVersion") == api_version && text_at(entry, "subresource").empty();
}

// The union of two sets of fields.
void add_fields(Object& to, const Object& from) {
    if (!from.is_object()) return;
    for (const auto& [name, below] : from.items()) {
        if (!to.contains(name)) to[name] = Object::object();
        add_fields(to[name], below);
    }
}

// The annotation stays kubectl's own: keelctl's manifests do not have it, and would remove it.
void leave_annotation(Object& fields) {
    if (!member(fields, {"f:metadata", "f:annotations"}).is_object()) return;
    Object& annotations = fields["f:metadata"]["f:annotations"];
    annotations.erase(std::string("f:") + kLastApplied);
}

}  // namespace

Object managed_fields_taken_over(const Object& managed_fields, const std::string& manager) {
    if (!managed_fields.is_array()) return {};
    Object entries = Object::array();
    Object taken = Object::array();
    for (const Object& entry : managed_fields) (is_client_side(entry) ? taken : entries).push_back(entry);
    if (taken.empty()) return {};
    for (Object entry : taken) {
        leave_annotation(entry["fieldsV1"]);
        Object* own = nullptr;
        for (Object& other : entries)
            if (is_of(other, manager, text_at(entry, "apiVersion"))) own = &other;
        if (own == nullptr) {
            entry["manager"] = manager;
            entry["operation"] = "Apply";
            entries.push_back(std::move(entry));
        } else {
            add_fields((*own)["fieldsV1"], entry["fieldsV1"]);
        }
    }
    return entries;
}

Result<void> take_over(Api& api, const Item& item, const Object& live, const std::string& manager) {
    const Object entries = managed_fields_taken_over(member(live, {"metadata", "managedFields"}), manager);
    if (entries.is_null()) return {};
    // The version must still be this one: else somebody's newer entries would be lost.
    const Object patch = {
        {{"op", "replace"}, {"path", "/metadata/managedFields"}, {"value", entries}},
        {{"op", "replace"}, {"path", "/metadata/resourceVersion"}, {"value", resource_version_of(live)}}};
    Item changed = item;
    const auto done = patch_item(api, changed, kJsonPatch, compact(patch), {{"fieldManager", manager}});
    if (!done)
        return tl::unexpected(with_context(done.error(), "error when taking over \"" + item.source + "\": "));
    return {};
}

Result<void> keep_last_applied(Api& api, Item& item, const Object& manifest, bool makes_it) {
    const std::string old = text_at(member(item.object, {"metadata", "annotations"}), kLastApplied);
    if (old.empty() && !makes_it) return {};
    const std::string text = last_applied_text(manifest);
    if (old == text) return {};
    Object metadata = {{"name", item.name}, {"annotations", {{kLastApplied, text}}}};
    if (!item.namespace_name.empty()) metadata["namespace"] = item.namespace_name;
    const Object patch = {
        {"apiVersion", item.resource->api_version()}, {"kind", item.resource->kind}, {"metadata", metadata}};
    return patch_item(api, item, kApplyPatch, compact(patch),
                      {{"fieldManager", kLastAppliedManager}, {"force", "true"}});
}

}  // namespace keelson::cli::kube
