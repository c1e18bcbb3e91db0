#include "cli/kube/writing.h"

#include "cli/print/go_text.h"
#include "kernel/object/json.h"
#include "kernel/object/selector.h"

namespace keelson::cli::kube {

void add_write_flags(Flags& flags, WriteFlags& write, std::string_view manager) {
    write.manager = manager;
    add_dry_run_flag(flags, write.dry_run);
    add_manager_flag(flags, write);
}

void add_manager_flag(Flags& flags, WriteFlags& write) {
    flags.text("field-manager", write.manager, "Under which name the server notes who set a field");
}

void add_validate_flag(Flags& flags, WriteFlags& write) {
    flags.optional_text("validate", write.validate, "strict",
                        "What becomes of unknown and double fields: strict (true) refuses, warn tells, "
                        "ignore (false) is silent");
}

Result<Query> write_query(const WriteFlags& write) {
    const auto dry_run = write.dry_run.read();
    if (!dry_run) return pass_on(dry_run);
    Query query{{"fieldManager", write.manager}};
    add_dry_run_query(*dry_run, query);
    const std::string& validate = write.validate;
    if (validate == "strict" || validate == "true")
        query.emplace_back("fieldValidation", "Strict");
    else if (validate == "warn")
        query.emplace_back("fieldValidation", "Warn");
    else if (validate == "ignore" || validate == "false")
        query.emplace_back("fieldValidation", "Ignore");
    else
        return fail("invalid - validate option \"" + validate + "\"");
    return query;
}

namespace {

Result<void> take_answer(Api& api, const ApiCall& call, Item& item) {
    auto object = api.ask(call);
    if (!object) return pass_on(object);
    item.object = std::move(*object);
    item.name = name_of(item.object);
    return {};
}

bool is_chosen(const object::LabelSelector& selector, const Object& object) {
    object::Arena arena;
    const std::string json = compact(member(object, {"metadata", "labels"}));
    const auto labels = object::parse_json(json, arena);
    return labels && selector.matches(*labels);
}

std::string with_subresource(const Item& item, const std::string& subresource) {
    return item.path() + (subresource.empty() ? "" : "/" + subresource);
}

}  // namespace

Result<void> create_item(Api& api, Item& item, const Query& query) {
    return take_answer(api,
                       {.method = "POST",
                        .path = item.resource->path(item.namespace_name),
                        .query = query,
                        .body = compact(item.object)},
                       item);
}

Result<void> replace_item(Api& api, Item& item, const Query& query, const std::string& subresource) {
    if (resource_version_of(item.object).empty()) {
        const auto live = api.ask({.path = item.path()});
        if (!live) return pass_on(live);
        item.object["metadata"]["resourceVersion"] = resource_version_of(*live);
    }
    return take_answer(api,
                       {.method = "PUT",
                        .path = with_subresource(item, subresource),
                        .query = query,
                        .body = compact(item.object)},
                       item);
}

Result<void> patch_item(Api& api, Item& item, const std::string& type, const std::string& patch,
                        const Query& query, const std::string& subresource) {
    return take_answer(api,
                       {.method = "PATCH",
                        .path = with_subresource(item, subresource),
                        .query = query,
                        .body = patch,
                        .content_type = type},
                       item);
}

Result<void> for_each_manifest(Session& session, const FileFlags& files, const std::string& labels,
                               const std::string& verb, const ItemWork& work) {
    const auto selector = object::LabelSelector::parse(labels);
    if (!selector) return fail(selector.error().message());
    Failures failures;
    const auto manifests = read_manifests(files, failures);
    if (!manifests) return pass_on(manifests);
    int count = 0;
    for (const Manifest& manifest : *manifests) {
        if (!is_chosen(*selector, manifest.object)) continue;
        ++count;
        auto item = item_of_manifest(session, manifest);
        if (!item)
            failures.add(item.error());
        else if (const auto done = work(*item); !done)
            failures.add(done.error());
    }
    if (count == 0 && failures.empty()) return fail("no objects passed to " + verb);
    return failures.result();
}

Object merge_patch_between(const Object& before, const Object& after) {
    Object patch;
    for (const auto& [name, value] : before.items())
        if (!after.contains(name)) patch[name] = nullptr;
    for (const auto& [name, value] : after.items()) {
        const Object& old = member(before, name);
        if (before.contains(name) && old == value) continue;
        if (old.is_object() && value.is_object())
            patch[name] = merge_patch_between(old, value);
        else
            patch[name] = value;
    }
    return patch;
}

std::string go_line(const Object& manifest) {
    return printing::go_json(manifest) + "\n";
}

std::string last_applied_text(Object manifest) {
    Object& annotations = manifest["metadata"]["annotations"];
    if (!annotations.is_object()) annotations = Object::object();
    annotations.erase(kLastApplied);
    return go_line(manifest);
}

void save_last_applied(Object& object) {
    const std::string text = last_applied_text(object);
    object["metadata"]["annotations"][kLastApplied] = text;
}

}  // namespace keelson::cli::kube
