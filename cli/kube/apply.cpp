// keelctl apply
#include <algorithm>
#include <set>

#include "cli/kube/command.h"
#include "cli/kube/command_groups.h"
#include "cli/kube/deleting.h"
#include "cli/kube/prune.h"
#include "cli/kube/takeover.h"
#include "cli/kube/writing.h"
#include "cli/output.h"

namespace keelson::cli::kube {
namespace {

constexpr const char* kManager = "keelctl";

// Whether all of the wish is in the object; lists item by item.
bool holds(const Object& object, const Object& wish) {
    if (wish.is_object()) {
        if (!object.is_object()) return wish.empty();
        return std::all_of(wish.items().begin(), wish.items().end(), [&](const auto& entry) {
            return holds(member(object, entry.key()), entry.value());
        });
    }
    if (!wish.is_array() || !object.is_array() || object.size() != wish.size()) return object == wish;
    return std::equal(wish.begin(), wish.end(), object.begin(),
                      [](const Object& wanted, const Object& there) { return holds(there, wanted); });
}

// Without what every write changes.
Object without_bookkeeping(Object object) {
    for (const char* name : {"managedFields", "resourceVersion", "generation"})
        object["metadata"].erase(name);
    return object;
}

Failure conflict(const Failure& failure) {
    Failure told = whole("error: " + failure.refusal->message);
    told.message +=
        "\nSomebody else has set these fields. You can:\n"
        "* take them over: apply again with --force-conflicts\n"
        "* leave them to their manager: take them out of the manifest and apply again\n"
        "* share them: give them the values that they have now, and apply again";
    return told;
}

class Apply : public Command {
  public:
    void add_flags(Flags& flags) override {
        add_file_flags(flags, files_);
        add_write_flags(flags, write_, kManager);
        add_validate_flag(flags, write_);
        add_print_flags(flags, print_);
        flags.text("l,selector", labels_, "Of the files, only objects with these labels");
        flags.flag(
            "server-side", is_server_side_,
            "The server merges, as it always does here; messages say so with this flag. With =false the "
            "annotation of clients that merge themselves is written too");
        flags.flag("force-conflicts", takes_conflicts_, "Take over fields that others have set");
        flags.flag("prune", prunes_,
                   "Delete what was applied before and is in no file any more; goes with -l or --all");
        flags.flag("all", prune_.all, "With --prune: all that was applied before");
        flags.array("prune-allowlist", prune_.allowed,
                    "With --prune: only <group/version/kind>, may be repeated");
        flags.flag("wait", waits_, "With --prune: wait until what is deleted is gone");
        flags.flag("overwrite", ignored_, "Taken for the sake of scripts").is_hidden = true;
        flags.flag("openapi-patch", ignored_, "Taken for the sake of scripts").is_hidden = true;
        flags.flag("force", is_forced_, "Delete and make again what cannot be changed in place");
        flags.number("grace-period", grace_period_, "Seconds that a pod is given to end, with --force");
        flags.optional_text("cascade", cascade_, "background", "How dependents are deleted, with --force");
        flags.duration("timeout", timeout_, "How long to wait for deletions; 0: for ever");
    }

    Result<void> run(Session& session, const Words& words) override {
        if (!words.words.empty()) return misused("Unexpected args: [" + words.words.front() + "]");
        if (files_.filenames.empty() && files_.kustomize.empty())
            return fail("must specify one of -f and -k");
        if (prunes_ && !prune_.all && labels_.empty())
            return fail(
                "all resources selected for prune without explicitly passing --all. To prune all resources, "
                "pass the --all flag. If you did not mean to prune all resources, specify a label selector");
        const auto query = write_query(write_);
        if (!query) return pass_on(query);
        query_ = *query;
        makes_annotation_ = flags().was_given("server-side") && !is_server_side_;
        dry_run_ = *write_.dry_run.read();
        if (is_server_side_ && dry_run_ == DryRun::client)
            return fail(
                "--dry-run=client doesn't work with --server-side (did you mean --dry-run=server instead?)");
        const auto api = session.api();
        if (!api) return pass_on(api);
        api_ = *api;
        auto done = for_each_manifest(session, files_, labels_, "apply",
                                      [this](Item& item) { return apply_one(item); });
        if (!done) return done;
        if (auto printed = print_results(); !printed || !prunes_) return printed;
        prune_.labels = labels_;
        prune_.is_dry_on_client = dry_run_ == DryRun::client;
        prune_.is_dry_on_server = dry_run_ == DryRun::server;
        prune_.waits = waits_;
        return prune(session, prune_, applied_);
    }

  private:
    Result<void> apply_one(Item& item) {
        const auto live = api_->ask({.path = item.path()});
        if (!live && !is_not_found(live.error()))
            return tl::unexpected(with_context(
                live.error(), "error when retrieving current configuration of \"" + item.source + "\": "));
        // A name that the server makes cannot be applied to.
        if (item.name.empty())
            return fail("error when applying \"" + item.source +
                        "\": an object that is applied must have metadata.name; use `keelctl create` for "
                        "generateName");
        const Object* there = live ? &*live : nullptr;
        const Object wish = item.object;
        if (dry_run_ == DryRun::client)
            return report(item, there == nullptr      ? "created"
                                : holds(*there, wish) ? "unchanged"
                                                      : "configured");
        if (auto done = write(item, wish, there); !done) return done;
        return report(item, word_for(item, there));
    }

    Result<void> write(Item& item, const Object& wish, const Object* there) {
        if (there != nullptr && dry_run_ == DryRun::none)
            if (auto taken = take_over(*api_, item, *there, write_.manager); !taken) return taken;
        Query query = query_;
        if (takes_conflicts_) query.emplace_back("force", "true");
        auto done = patch_item(*api_, item, kApplyPatch, compact(wish), query);
        if (!done && is_forced_ &&
            (is_refused_as(done.error(), "Invalid") || is_refused_as(done.error(), "Conflict")))
            done = make_again(item, wish);
        if (!done && is_refused_as(done.error(), "Conflict")) return tl::unexpected(conflict(done.error()));
        if (!done)
            return tl::unexpected(with_context(
                done.error(),
                std::string(there == nullptr ? "error when creating" : "error when applying patch to") +
                    " \"" + item.source + "\": "));
        if (dry_run_ != DryRun::none) return {};
        return keep_last_applied(*api_, item, wish, makes_annotation_);
    }

    Result<void> make_again(Item& item, const Object& wish) {
        DeleteWish deletion{.grace_period_seconds = grace_period_ < 0 ? 0 : grace_period_,
                            .cascade = cascade_};
        const auto deleted = delete_item(*api_, item, deletion);
        if (!deleted) return pass_on(deleted);
        if (auto gone = wait_until_gone(*api_, item, *deleted, timeout_); !gone) return gone;
        return patch_item(*api_, item, kApplyPatch, compact(wish), query_);
    }

    std::string word_for(const Item& item, const Object* there) const {
        if (is_server_side_) return "serverside-applied";
        if (there == nullptr) return "created";
        return without_bookkeeping(*there) == without_bookkeeping(item.object) ? "unchanged" : "configured";
    }

    Result<void> report(Item& item, const std::string& done) {
        applied_.push_back(item);
        if (!print_.is_for_people() && !print_.is_name()) return {};
        return print_change(print_, item, with_dry_run(done, dry_run_));
    }

    // With -o json several objects are one list.
    Result<void> print_results() {
        if (print_.is_for_people() || print_.is_name()) return {};
        std::vector<Object> objects;
        for (const Item& item : applied_) objects.push_back(item.object);
        return print_objects(print_, std::move(objects), applied_.size() == 1);
    }

    Api* api_ = nullptr;
    FileFlags files_;
    WriteFlags write_;
    PrintFlags print_;
    PruneWish prune_;
    Query query_;
    DryRun dry_run_ = DryRun::none;
    std::string labels_;
    bool is_server_side_ = false;
    bool makes_annotation_ = false;
    bool takes_conflicts_ = false;
    bool prunes_ = false;
    bool waits_ = false;
    bool ignored_ = true;
    bool is_forced_ = false;
    std::int64_t grace_period_ = -1;
    std::string cascade_ = "background";
    std::int64_t timeout_ = 0;
    std::vector<Item> applied_;
};

}  // namespace

void add_apply_command(Registry& registry) {
    registry.add<Apply>("apply", "Advanced Commands", "(-f FILENAME | -k DIRECTORY) [options]",
                        "Bring objects to the state in files",
                        "  keelctl apply -f app.yaml\n  keelctl apply -f app/ -R --prune -l app=web\n"
                        "  keelctl apply -f app.yaml --force-conflicts");
}

}  // namespace keelson::cli::kube
