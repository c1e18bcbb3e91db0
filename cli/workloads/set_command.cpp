#include "cli/workloads/set_command.h"

#include <nlohmann/json.hpp>

#include "cli/kube/local.h"
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
                                     const std::string& done, const ItemWork& change, bool tells_always) {
    const auto query = write_query(write_);
    if (!query) return pass_on(query);
    const DryRun dry_run = *write_.dry_run.read();
    return for_each_chosen(session, words, [&](Item& item) -> Result<void> {
        const Object before = item.object;
        if (auto changed = change(item); !changed) return changed;
        if (is_local_) return print_change(print_, item, done);
        const Object patch = strategic_difference(before, item.object);
        if (patch.is_null() && !tells_always && print_.is_for_people()) return {};
        if (dry_run != DryRun::client && !patch.is_null()) {
            const auto api = session.api();
            if (!api) return pass_on(api);
            if (auto sent = patch_item(**api, item, kStrategicPatch, compact(patch), *query); !sent)
                return tl::unexpected(unsent(sent.error(), done));
        }
        return print_change(print_, item, with_dry_run(done, dry_run));
    });
}

Result<void> SetCommand::for_each_chosen(Session& session, const std::vector<std::string>& words,
                                         const ItemWork& work) {
    if (!is_local_) return for_each_object(session, {words, &files_, &select_}, work);
    if (!words.empty() && (path() == "set env" || path() == "set serviceaccount"))
        return tl::unexpected(nothing_named());
    if (!words.empty())
        return tl::unexpected(
            whole("error: you must specify resources by --filename when --local is set.\nExample resource "
                  "specifications include:\n   '-f rsrc.yaml'\n   '--filename=rsrc.json'"));
    return for_each_local(files_, work);
}

Result<Object*> need_pod_spec(Item& item) {
    if (Object* spec = find_pod_spec(item.object)) return spec;
    return fail(item.resource->plural + "/" + item.name +
                " the object is not a pod or does not have a pod template: *" + item.resource->version + "." +
                item.resource->kind);
}

}  // namespace keelson::cli::kube
