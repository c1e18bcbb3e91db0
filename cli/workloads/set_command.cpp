#include "cli/workloads/set_command.h"

#include <nlohmann/json.hpp>

#include "cli/workloads/pod_specs.h"

namespace keelson::cli::kube {
namespace {

// What could not be sent, in the words that scripts know.
Failure unsent(const Failure& failure, const std::string& done) {
    const char* what = done.starts_with("image")       ? "image update to pod template: "
                       : done.starts_with("env")       ? "env update to pod template: "
                       : done.starts_with("resource ") ? "resources update to pod template "
                                                       : nullptr;
    if (what == nullptr || !failure.refusal) return failure;
    return {"failed to patch " + std::string(what) + failure.refusal->message};
}

// By its own words, as nobody is asked.
Resource resource_by_itself(const Object& object) {
    Resource resource;
    const std::string version = text_at(object, "apiVersion");
    const std::size_t slash = version.find('/');
    if (slash != std::string::npos) resource.group = version.substr(0, slash);
    resource.version = version.substr(slash == std::string::npos ? 0 : slash + 1);
    resource.kind = text_at(object, "kind");
    resource.singular = lower_case(resource.kind);
    return resource;
}

}  // namespace

void SetCommand::add_flags(Flags& flags) {
    add_file_flags(flags, files_);
    add_selector_flag(flags, select_);
    add_all_flag(flags, select_);
    add_write_flags(flags, write_, "keelctl-set");
    add_print_flags(flags, print_);
    flags.flag("local", is_local_, "Change the objects of -f and do not ask the server");
    add_own_flags(flags);
}

Result<void> SetCommand::change_each(Session& session, const std::vector<std::string>& words,
                                     const std::string& done,
                                     const std::function<Result<void>(Object& object)>& change,
                                     bool tells_always) {
    const auto query = write_query(write_);
    if (!query) return pass_on(query);
    const DryRun dry_run = *write_.dry_run.read();
    if (is_local_) {
        Failures failures;
        const auto manifests = read_manifests(files_, failures);
        if (!manifests) return pass_on(manifests);
        for (const Manifest& manifest : *manifests) {
            Item item{.name = name_of(manifest.object), .object = manifest.object};
            if (auto changed = change(item.object); !changed) return changed;
            const Resource resource = resource_by_itself(item.object);
            item.resource = &resource;
            if (auto printed = print_change(print_, item, done); !printed) return printed;
        }
        return failures.result();
    }
    const auto api = session.api();
    if (!api) return pass_on(api);
    return for_each_object(session, {words, &files_, &select_}, [&](Item& item) -> Result<void> {
        const Object before = item.object;
        if (auto changed = change(item.object); !changed) return changed;
        const Object patch = strategic_difference(before, item.object);
        if (patch.is_null() && !tells_always && print_.is_for_people()) return {};
        if (dry_run != DryRun::client && !patch.is_null())
            if (auto sent = patch_item(**api, item, kStrategicPatch, compact(patch), *query); !sent)
                return tl::unexpected(unsent(sent.error(), done));
        return print_change(print_, item, with_dry_run(done, dry_run));
    });
}

Result<Object*> need_pod_spec(Object& object) {
    if (Object* spec = find_pod_spec(object)) return spec;
    const Resource resource = resource_by_itself(object);
    return fail(resource.singular + "/" + name_of(object) +
                " the object is not a pod or does not have a pod template: *" + resource.version + "." +
                resource.kind);
}

}  // namespace keelson::cli::kube
