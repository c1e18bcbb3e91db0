// keelctl delete
#include <iostream>

#include "cli/kube/command.h"
#include "cli/kube/command_groups.h"
#include "cli/kube/deleting.h"
#include "cli/kube/printing.h"
#include "cli/kube/raw.h"
#include "cli/output.h"

namespace keelson::cli::kube {
namespace {

class Delete : public Command {
  public:
    void add_flags(Flags& flags) override {
        add_file_flags(flags, files_);
        add_selector_flag(flags, select_);
        add_field_selector_flag(flags, select_);
        add_all_namespaces_flag(flags, select_);
        add_all_flag(flags, select_);
        add_dry_run_flag(flags, dry_run_);
        flags.optional_text("cascade", cascade_, "background",
                            "What becomes of dependents: background (they go after), foreground (they go "
                            "first), orphan (they stay)");
        flags.number("grace-period", grace_period_, "Seconds to end in; -1: as the object says");
        flags.flag("now", is_now_, "The same as --grace-period=1");
        flags.flag("force", is_forced_, "Remove it from the API at once, with no grace");
        flags.flag("ignore-not-found", ignores_missing_, "It is no error when there is none");
        flags.flag("wait", waits_, "Return when they are gone");
        flags.duration("timeout", timeout_, "How long to wait for that; 0: for ever");
        flags.flag("i,interactive", asks_, "Ask first");
        flags.text("o,output", output_, "name: only TYPE/NAME");
        flags.text("raw", raw_, "Delete this path of the server");
    }

    Result<void> run(Session& session, const Words& words) override {
        const auto api = session.api();
        if (!api) return pass_on(api);
        api_ = *api;
        if (!raw_.empty()) return delete_raw();
        if (auto good = read_flags(); !good) return good;
        // What was chosen by a selector may be gone by now.
        ignores_missing_ |= select_.all || !select_.labels.empty() || !select_.fields.empty();
        const Wanted wanted{words.words, &files_, &select_};
        if (asks_)
            if (auto agreed = ask(session, wanted); !agreed) return agreed;
        auto done = for_each_named(session, wanted, [this](Item& item) { return delete_one(item); });
        if (!done) return done;
        if (count_ == 0) print("No resources found\n");
        return wait_for_all();
    }

  private:
    Result<void> delete_raw() {
        if (files_.filenames.size() > 1) return fail("--raw can only use a single local file or stdin");
        if (auto good = check_raw_path(raw_); !good) return good;
        const auto answer = api_->send({.method = "DELETE", .path = raw_});
        if (!answer) return pass_on(answer);
        print(answer->body);
        return {};
    }

    Result<void> read_flags() {
        const auto dry_run = dry_run_.read();
        if (!dry_run) return pass_on(dry_run);
        if (!output_.empty() && output_ != "name")
            return fail("unexpected -o output mode: " + output_ + ". We only support '-o name'");
        if (cascade_ == "true") cascade_ = "background";
        if (cascade_ == "false") cascade_ = "orphan";
        if (cascade_ != "background" && cascade_ != "orphan" && cascade_ != "foreground")
            return fail("invalid cascade value (" + cascade_ +
                        "). Must be \"background\", \"foreground\", or \"orphan\"");
        if (is_now_ && grace_period_ != -1)
            return fail("--now and --grace-period cannot be specified together");
        if (is_forced_ && grace_period_ > 0)
            return fail("--force and --grace-period greater than 0 cannot be specified together");
        if (select_.all && !select_.labels.empty())
            return fail("setting 'all' parameter but found a non empty selector. ");
        if (is_now_) grace_period_ = 1;
        if (is_forced_ && grace_period_ < 0) grace_period_ = 0;
        // Without --force nothing is lost by a slip.
        if (grace_period_ == 0 && !is_forced_) grace_period_ = 1;
        wish_ = {
            .grace_period_seconds = grace_period_, .cascade = cascade_, .is_dry = *dry_run == DryRun::server};
        if (is_forced_ && grace_period_ == 0)
            warn("Warning: this does not wait until what runs has ended: it may go on running on its node.");
        return {};
    }

    Result<void> ask(Session& session, const Wanted& wanted) {
        std::string names;
        auto done = for_each_named(session, wanted, [&](Item& item) -> Result<void> {
            names += item.text() + "\n";
            return {};
        });
        if (!done) return done;
        print("You are about to delete the following resource(s):\n" + names +
              "Do you want to continue? (y/N): ");
        if (auto flushed = flush_output(); !flushed) return flushed;
        std::string line;
        std::getline(std::cin, line);
        if (line == "y" || line == "Y") return {};
        print("deletion is cancelled\n");
        return tl::unexpected(silent(exit_good));
    }

    std::string done_text() const {
        const DryRun dry_run = *dry_run_.read();
        return with_dry_run(is_forced_ && grace_period_ == 0 ? "force deleted" : "deleted", dry_run);
    }

    Result<void> delete_one(Item& item) {
        ++count_;
        std::string uid;
        if (*dry_run_.read() != DryRun::client) {
            const auto deleted = delete_item(*api_, item, wish_);
            if (!deleted && ignores_missing_ && is_not_found(deleted.error())) return {};
            if (!deleted)
                return item.source.empty()
                           ? pass_on(deleted)
                           : tl::unexpected(with_context(deleted.error(),
                                                         "error when deleting \"" + item.source + "\": "));
            uid = *deleted;
        }
        if (output_ == "name")
            print(item.text() + "\n");
        else
            print(item.resource->kind_text() + " \"" + item.name + "\" " + done_text() + "\n");
        if (auto flushed = flush_output(); !flushed) return flushed;
        if (waits_ && *dry_run_.read() == DryRun::none) {
            item.object = Object();
            waiting_.emplace_back(item, uid);
        }
        return {};
    }

    Result<void> wait_for_all() {
        Failures failures;
        for (const auto& [item, uid] : waiting_)
            if (const auto gone = wait_until_gone(*api_, item, uid, timeout_); !gone)
                // Who may delete need not be allowed to look.
                if (!is_refused_as(gone.error(), "Forbidden")) failures.add(gone.error());
        return failures.result();
    }

    Api* api_ = nullptr;
    FileFlags files_;
    SelectFlags select_;
    DryRunFlag dry_run_;
    DeleteWish wish_;
    std::string cascade_ = "background";
    std::int64_t grace_period_ = -1;
    bool is_now_ = false;
    bool is_forced_ = false;
    bool ignores_missing_ = false;
    bool waits_ = true;
    std::int64_t timeout_ = 0;
    bool asks_ = false;
    std::string output_;
    std::string raw_;
    int count_ = 0;
    std::vector<std::pair<Item, std::string>> waiting_;
};

}  // namespace

void add_delete_command(Registry& registry) {
    registry.add<Delete>(
        "delete", "Basic Commands", "([-f FILENAME] | TYPE [(NAME | -l label | --all)]) [options]",
        "Delete objects",
        "  keelctl delete pod/a service/b\n  keelctl delete pods -l app=web\n  keelctl delete -f pod.yaml");
}

}  // namespace keelson::cli::kube
