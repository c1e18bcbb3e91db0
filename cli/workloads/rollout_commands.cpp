// keelctl rollout
#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "cli/describe/parts.h"
#include "cli/kube/command.h"
#include "cli/kube/watch.h"
#include "cli/kube/writing.h"
#include "cli/output.h"
#include "cli/print/tab_writer.h"
#include "cli/workloads/command_groups.h"
#include "cli/workloads/rollout_history.h"
#include "cli/workloads/rollout_status.h"
#include "kernel/object/time_format.h"

namespace keelson::cli::kube {
namespace {

constexpr const char* kRestarted = "kubectl.kubernetes.io/restartedAt";
constexpr const char* kTemplateHash = "pod-template-hash";

Result<void> need_words(const std::vector<std::string>& words, const FileFlags& files) {
    if (!words.empty() || !files.filenames.empty() || !files.kustomize.empty()) return {};
    return fail("required resource not specified");
}

Result<void> say_nothing_found(Session& session) {
    const auto name = session.namespace_name();
    if (!name) return pass_on(name);
    warn("No resources found in " + *name + " namespace.");
    return {};
}

class Status final : public Command {
  public:
    void add_flags(Flags& flags) override {
        add_file_flags(flags, files_);
        add_selector_flag(flags, select_);
        flags.flag("w,watch", watches_, "Stay until it is done");
        flags.number("revision", revision_, "Of which revision; 0: the latest");
        flags.duration("timeout", timeout_, "How long to stay; 0: for ever");
    }

    Result<void> run(Session& session, const Words& words) override {
        if (auto good = need_words(words.words, files_); !good) return good;
        const auto api = session.api();
        if (!api) return pass_on(api);
        bool has_any = false;
        auto done = for_each_object(session, {words.words, &files_, &select_, true}, [&](Item& item) {
            has_any = true;
            return watches_ ? follow(**api, item) : show(item);
        });
        if (done && !has_any) return say_nothing_found(session);
        return done;
    }

  private:
    Result<void> show(const Item& item) const {
        const auto status = rollout_status(item.resource->kind, item.object, revision_);
        if (!status) return pass_on(status);
        print(status->text);
        return {};
    }

    Result<void> follow(Api& api, const Item& item) const {
        std::optional<Deadline> deadline;
        if (timeout_ > 0) deadline = std::chrono::steady_clock::now() + std::chrono::nanoseconds(timeout_);
        std::string last;
        auto done = watch_object(
            api, item.resource->path(item.namespace_name), item.name,
            [&](const Object& object) -> Result<bool> {
                if (object.is_null()) return fail("object has been deleted");
                const auto status = rollout_status(item.resource->kind, object, revision_);
                if (!status) return pass_on(status);
                if (std::exchange(last, status->text) != status->text) print(status->text);
                if (auto flushed = flush_output(); !flushed) return pass_on(flushed);
                return status->is_done;
            },
            deadline);
        if (!done && done.error().is_timeout) return fail("timed out waiting for the condition");
        return done;
    }

    FileFlags files_;
    SelectFlags select_;
    bool watches_ = true;
    std::int64_t revision_ = 0;
    std::int64_t timeout_ = 0;
};

class History final : public Command {
  public:
    void add_flags(Flags& flags) override {
        add_file_flags(flags, files_);
        add_selector_flag(flags, select_);
        add_print_flags(flags, print_);
        flags.number("revision", revision_, "All about this revision, with its pods' template");
    }

    Result<void> run(Session& session, const Words& words) override {
        if (auto good = need_words(words.words, files_); !good) return good;
        if (revision_ < 0) return fail("revision must be a positive integer: " + std::to_string(revision_));
        const auto api = session.api();
        if (!api) return pass_on(api);
        return for_each_object(session, {words.words, &files_, &select_, true},
                               [&](Item& item) -> Result<void> {
                                   const auto history = read_history(**api, item);
                                   if (!history) return pass_on(history);
                                   return revision_ > 0 ? show_one(*history, item) : show_all(*history, item);
                               });
    }

  private:
    Result<void> show_all(const std::vector<Revision>& history, const Item& item) const {
        if (!print_.is_for_people()) {
            std::vector<Object> sources;
            sources.reserve(history.size());
            for (const Revision& revision : history) sources.push_back(revision.source);
            return print_objects(print_, std::move(sources), false);
        }
        print(item.text() + " \n");
        if (history.empty()) {
            print("No rollout history found.\n");
            return {};
        }
        std::string table = "REVISION\tCHANGE-CAUSE\n";
        for (const Revision& revision : history)
            table += std::to_string(revision.number) + "\t" +
                     (revision.cause.empty() ? "<none>" : revision.cause) + "\n";
        print(printing::align_tabs(table, printing::kDescriptionStops) + "\n");
        return {};
    }

    Result<void> show_one(const std::vector<Revision>& history, const Item& item) const {
        const auto revision = pick_revision(history, item, revision_);
        if (!revision) return fail("unable to find the specified revision");
        if (!print_.is_for_people()) return print_objects(print_, {revision->source}, true);
        describing::Description out;
        Object shown = revision->pod_template;
        if (!revision->cause.empty())
            shown["metadata"]["annotations"]["kubernetes.io/change-cause"] = revision->cause;
        describing::write_pod_template(out, shown);
        print(item.text() + " with revision #" + std::to_string(revision_) + "\n" + out.unaligned() + "\n");
        return {};
    }

    FileFlags files_;
    SelectFlags select_;
    PrintFlags print_;
    std::int64_t revision_ = 0;
};

// Those that change the object.
class Change : public Command {
  public:
    void add_flags(Flags& flags) override {
        add_file_flags(flags, files_);
        add_selector_flag(flags, select_);
        add_print_flags(flags, print_);
        write_.manager = "keelctl-rollout";
        if (goes_back()) {
            add_dry_run_flag(flags, write_.dry_run);
            flags.number("to-revision", revision_, "Back to which revision; 0: the one before");
        } else {
            add_manager_flag(flags, write_);
        }
    }

    Result<void> run(Session& session, const Words& words) override {
        if (auto good = need_words(words.words, files_); !good) return good;
        const auto query = write_query(write_);
        if (!query) return pass_on(query);
        dry_run_ = *write_.dry_run.read();
        const auto api = session.api();
        if (!api) return pass_on(api);
        bool has_any = false;
        const auto work = [&](Item& item) -> Result<void> {
            has_any = true;
            const Object before = item.object;
            auto done = change(**api, item);
            if (!done) return pass_on(done);
            const Object patch = merge_patch_between(before, item.object);
            if (dry_run_ != DryRun::client && !patch.is_null())
                if (auto sent = patch_item(**api, item, kMergePatch, compact(patch), *query); !sent)
                    return sent;
            return print_change(print_, item, with_dry_run(*done, dry_run_));
        };
        auto done = for_each_object(session, {words.words, &files_, &select_, true}, work);
        if (done && !has_any && tells_of_nothing()) return say_nothing_found(session);
        return done;
    }

  protected:
    // Whether it says so when there was nothing to change.
    [[nodiscard]] virtual bool tells_of_nothing() const { return true; }
    // Changes the item's object and says what was done.
    virtual Result<std::string> change(Api& api, Item& item) = 0;
    [[nodiscard]] virtual bool goes_back() const { return false; }

    static tl::unexpected<Failure> unable(const Item& item, const std::string& what) {
        return fail(item.resource->type_text() + " \"" + item.name + "\" " + what);
    }
    static bool is_paused(const Item& item) { return member(item.object, {"spec", "paused"}) == true; }

    std::int64_t revision_ = 0;
    DryRun dry_run_ = DryRun::none;

  private:
    FileFlags files_;
    SelectFlags select_;
    WriteFlags write_;
    PrintFlags print_;
};

class Pause final : public Change {
    Result<std::string> change(Api&, Item& item) override {
        if (item.resource->kind != "Deployment") return unable(item, "pausing is not supported");
        if (is_paused(item)) return unable(item, "is already paused");
        item.object["spec"]["paused"] = true;
        return "paused";
    }
};

class Resume final : public Change {
    Result<std::string> change(Api&, Item& item) override {
        if (item.resource->kind != "Deployment") return unable(item, "resuming is not supported");
        if (!is_paused(item)) return unable(item, "is not paused");
        item.object["spec"].erase("paused");
        return "resumed";
    }
};

class Restart final : public Change {
    Result<std::string> change(Api&, Item& item) override {
        const std::string& kind = item.resource->kind;
        if (kind != "Deployment" && kind != "DaemonSet" && kind != "StatefulSet")
            return unable(item, "restarting is not supported");
        if (is_paused(item))
            return unable(item, "can't restart paused deployment (run rollout resume first)");
        const auto now =
            object::instant_of(base::WallTime(std::chrono::system_clock::now().time_since_epoch()));
        const std::string time = object::format_time(now);
        Object& metadata = item.object["spec"]["template"]["metadata"];
        if (text_at(member(metadata, "annotations"), kRestarted) == time)
            return unable(item,
                          "if restart has already been triggered within the past second, please wait before "
                          "attempting to trigger another");
        metadata["annotations"][kRestarted] = time;
        return "restarted";
    }
};

class Undo final : public Change {
    [[nodiscard]] bool tells_of_nothing() const override { return false; }
    [[nodiscard]] bool goes_back() const override { return true; }

    Result<std::string> change(Api& api, Item& item) override {
        if (revision_ < 0) return fail("revision must be a positive integer: " + std::to_string(revision_));
        if (is_paused(item))
            return fail(
                "you cannot rollback a paused deployment; resume it first with 'keelctl rollout resume' and "
                "try again");
        const auto history = read_history(api, item);
        if (!history) return pass_on(history);
        const auto revision = pick_revision(*history, item, revision_);
        if (!revision) return pass_on(revision);
        if (dry_run_ == DryRun::client) {
            describing::Description shown;
            describing::write_pod_template(shown, revision->pod_template);
            return shown.unaligned();
        }
        Object wanted = revision->pod_template;
        if (wanted.contains("metadata") && wanted["metadata"].contains("labels"))
            wanted["metadata"]["labels"].erase(kTemplateHash);
        if (wanted == member(item.object, {"spec", "template"}))
            return "skipped rollback (current template already matches revision " +
                   std::to_string(revision->number) + ")";
        item.object["spec"]["template"] = std::move(wanted);
        return "rolled back";
    }
};

}  // namespace

void add_rollout_commands(Registry& registry) {
    constexpr const char* kUsage = "(TYPE NAME | TYPE/NAME) [flags] [options]";
    registry.add({"rollout",
                  "Deploy Commands",
                  "SUBCOMMAND [options]",
                  "Follow, stop and undo changes of pods' templates",
                  "",
                  {}});
    registry.add<History>("rollout history", "", kUsage, "List the revisions",
                          "  keelctl rollout history deployment/web --revision=3");
    registry.add<Pause>("rollout pause", "", kUsage, "Hold changes back");
    registry.add<Restart>("rollout restart", "", kUsage, "Put new pods in the place of all");
    registry.add<Resume>("rollout resume", "", kUsage, "Let changes on again");
    registry.add<Status>("rollout status", "", kUsage, "Tell how far a change is",
                         "  keelctl rollout status deployment/web");
    registry.add<Undo>("rollout undo", "", kUsage, "Go back to a revision before",
                       "  keelctl rollout undo deployment/web --to-revision=3");
}

}  // namespace keelson::cli::kube
