// keelctl diff: what apply would change.
#include <cstdlib>

#include "cli/kube/command.h"
#include "cli/kube/command_groups.h"
#include "cli/kube/differing.h"
#include "cli/kube/past.h"
#include "cli/kube/writing.h"

namespace keelson::cli::kube {
namespace {

constexpr int exit_trouble = 2;

class Diff : public Command {
  public:
    void add_flags(Flags& flags) override {
        add_file_flags(flags, files_);
        flags.text("l,selector", labels_, "Of the files, only objects with these labels");
        flags.text("field-manager", manager_, "Under which name the server notes who set a field");
        flags.flag("server-side", ignored_, "The server merges, as it always does here");
        flags.flag("force-conflicts", ignored_,
                   "Conflicts are shown as if they were taken over, as always here");
        flags.flag("show-managed-fields", shows_managed_fields_, "Also who manages which fields");
        flags.flag("prune", ignored_, "Not shown by keelctl: use apply --prune --dry-run=server").is_hidden =
            true;
        flags.text("revision", revision_,
                   "Instead of files: what has changed in TYPE/NAME since this revision of the store, of "
                   "`keelctl history`");
        add_document_flag(flags, document_);
        flags.number("concurrency", concurrency_, "Taken for the sake of scripts").is_hidden = true;
    }

    Result<void> run(Session& session, const Words& words) override {
        auto done = document_.check();
        if (done) done = compare(session, words);
        // 1 is "there are differences".
        if (!done && !done.error().message.empty() && done.error().code == exit_failure)
            done.error().code = exit_trouble;
        return done;
    }

  private:
    Result<void> compare(Session& session, const Words& words) {
        if (!revision_.empty()) return with_past(session, words.words);
        if (!words.words.empty()) return misused("Unexpected args: [" + words.words.front() + "]");
        if (files_.filenames.empty() && files_.kustomize.empty())
            return fail("must specify one of -f and -k");
        const auto api = session.api();
        if (!api) return pass_on(api);
        auto difference = Difference::make();
        if (!difference) return pass_on(difference);
        auto done = for_each_manifest(session, files_, labels_, "diff", [&](Item& item) -> Result<void> {
            auto live = (*api)->ask({.path = item.path()});
            if (!live && !is_not_found(live.error())) return pass_on(live);
            Item merged = item;
            const Query query{{"fieldManager", manager_}, {"dryRun", "All"}, {"force", "true"}};
            if (auto good = patch_item(**api, merged, kApplyPatch, compact(item.object), query); !good)
                return good;
            const std::string name = file_name(item);
            return difference->add(name, live ? shown(std::move(*live)) : Object(),
                                   shown(std::move(merged.object)));
        });
        if (!done) return done;
        return show(*difference);
    }

    Result<void> show(Difference& difference) const {
        if (!document_.is_wanted()) return difference.show();
        document_.print({{"items", difference.documents()}});
        if (difference.has_changes()) return tl::unexpected(silent(exit_failure));
        return {};
    }

    Result<void> with_past(Session& session, const std::vector<std::string>& words) {
        const auto selection = select(session, {words});
        if (!selection) return pass_on(selection);
        if (selection->items.size() != 1) return fail("name one object: TYPE NAME or TYPE/NAME");
        const Item& item = selection->items.front();
        const auto api = session.api();
        if (!api) return pass_on(api);
        auto past = object_at(**api, item, revision_);
        if (!past) return pass_on(past);
        auto live = (*api)->ask({.path = item.path()});
        if (!live && !is_not_found(live.error())) return pass_on(live);
        auto difference = Difference::make();
        if (!difference) return pass_on(difference);
        const auto added = difference->add(file_name(item), shown(std::move(*past)),
                                           live ? shown(std::move(*live)) : Object());
        if (!added) return pass_on(added);
        return show(*difference);
    }

    static std::string file_name(const Item& item) {
        return item.resource->group + (item.resource->group.empty() ? "" : ".") + item.resource->version +
               "." + item.resource->kind + "." + item.namespace_name + "." + item.name;
    }

    Object shown(Object object) const {
        if (!shows_managed_fields_) object["metadata"].erase("managedFields");
        return object;
    }

    FileFlags files_;
    DocumentFlag document_;
    std::string labels_;
    std::string revision_;
    std::string manager_ = "keelctl";
    bool ignored_ = false;
    bool shows_managed_fields_ = false;
    std::int64_t concurrency_ = 1;
};

}  // namespace

void add_diff_command(Registry& registry) {
    registry.add<Diff>("diff", "Advanced Commands", "-f FILENAME [options]", "Show what apply would change",
                       "  keelctl diff -f app.yaml\n  keelctl diff deploy/web --revision 4711\n  "
                       "KUBECTL_EXTERNAL_DIFF='diff -y' keelctl diff -f app.yaml");
}

}  // namespace keelson::cli::kube
