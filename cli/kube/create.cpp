// keelctl create -f, replace
#include "cli/kube/command.h"
#include "cli/kube/command_groups.h"
#include "cli/kube/deleting.h"
#include "cli/kube/editing.h"
#include "cli/kube/raw.h"
#include "cli/kube/writing.h"
#include "cli/output.h"

namespace keelson::cli::kube {
namespace {

// What a raw URL is sent: the file as it is.
Result<void> send_raw(Session& session, const std::string& method, const std::string& path,
                      const FileFlags& files) {
    if (auto good = check_raw_path(path); !good) return good;
    if (files.filenames.size() != 1) return fail("--raw can only use a single local file or stdin");
    const auto text = read_source(files.filenames.front());
    if (!text) return pass_on(text);
    const auto api = session.api();
    if (!api) return pass_on(api);
    const auto answer = (*api)->send({.method = method, .path = path, .body = *text});
    if (!answer) return pass_on(answer);
    print(answer->body);
    return {};
}

class Create : public Command {
  public:
    void add_flags(Flags& flags) override {
        add_file_flags(flags, files_);
        add_write_flags(flags, write_, "keelctl-create");
        add_validate_flag(flags, write_);
        add_print_flags(flags, print_);
        flags.flag("save-config", saves_config_, "Keep what was given in an annotation, for kubectl apply");
        flags.text("raw", raw_, "Send the file to this path of the server, as it is");
        flags.text("l,selector", labels_, "Of the files, only objects with these labels");
        flags.flag("edit", is_edited_, "Change each object in an editor before it is made");
        flags.flag("windows-line-endings", ignored_, "Taken for the sake of scripts").is_hidden = true;
    }

    Result<void> run(Session& session, const Words& words) override {
        if (!words.words.empty())
            return tl::unexpected(unknown_command(words.words.front(), "keelctl create", {}));
        if (files_.filenames.empty() && files_.kustomize.empty())
            return fail("must specify one of -f and -k");
        if (!raw_.empty()) {
            if (is_edited_) return fail("--raw and --edit are mutually exclusive");
            if (!labels_.empty()) return fail("--raw and --selector (-l) are mutually exclusive");
            if (!print_.output.empty()) return fail("--raw and --output are mutually exclusive");
            return send_raw(session, "POST", raw_, files_);
        }
        const auto query = write_query(write_);
        if (!query) return pass_on(query);
        return for_each_manifest(session, files_, labels_, "create", [&](Item& item) {
            return is_edited_ ? edit(session, item, *query) : create(session, item, *query);
        });
    }

  private:
    Result<void> create(Session& session, Item& item, const Query& query) const {
        const DryRun dry_run = *write_.dry_run.read();
        if (saves_config_) save_last_applied(item.object);
        if (dry_run != DryRun::client) {
            const auto api = session.api();
            if (!api) return pass_on(api);
            if (const auto done = create_item(**api, item, query); !done)
                return tl::unexpected(
                    with_context(done.error(), "error when creating \"" + item.source + "\": "));
        }
        return print_change(print_, item, with_dry_run("created", dry_run));
    }

    // The object is made of what the editor has left; an unchanged one is not made.
    Result<void> edit(Session& session, const Item& item, const Query& query) const {
        const bool is_json = print_.output == "json";
        return edit_text(is_json ? pretty_json(item.object) : yaml_of(item.object), is_json ? "json" : "yaml",
                         [&](const std::string& text) -> Result<void> {
                             auto documents = read_documents(text, "the edited file");
                             if (!documents) return pass_on(documents);
                             if (documents->size() != 1) return fail("the edited file must hold one object");
                             auto edited = item_of_manifest(session, {documents->front(), item.source});
                             if (!edited) return pass_on(edited);
                             return create(session, *edited, query);
                         });
    }

    bool is_edited_ = false;
    bool ignored_ = false;
    FileFlags files_;
    WriteFlags write_;
    PrintFlags print_;
    bool saves_config_ = false;
    std::string raw_;
    std::string labels_;
};

class Replace : public Command {
  public:
    void add_flags(Flags& flags) override {
        add_file_flags(flags, files_);
        add_write_flags(flags, write_, "keelctl-replace");
        add_validate_flag(flags, write_);
        add_print_flags(flags, print_);
        flags.flag("save-config", saves_config_, "Keep what was given in an annotation, for kubectl apply");
        flags.flag("force", is_forced_, "Delete the object and make it again");
        flags.number("grace-period", grace_period_, "Seconds that a pod is given to end, with --force");
        flags.optional_text("cascade", cascade_, "background", "How dependents are deleted, with --force");
        flags.duration("timeout", timeout_, "How long to wait for the deletion, with --force; 0: for ever");
        flags.text("subresource", write_.subresource, "Only this part of the object, such as status");
        flags.text("raw", raw_, "Put the file to this path of the server, as it is");
    }

    Result<void> run(Session& session, const Words& words) override {
        if (!words.words.empty()) return misused("unexpected args: [" + words.words.front() + "]");
        if (files_.filenames.empty() && files_.kustomize.empty())
            return misused("must specify one of -f and -k");
        if (grace_period_ >= 0 && !is_forced_) return fail("--grace-period must have --force specified");
        if (timeout_ != 0 && !is_forced_) return fail("--timeout must have --force specified");
        if (!raw_.empty()) return send_raw(session, "PUT", raw_, files_);
        const auto query = write_query(write_);
        if (!query) return pass_on(query);
        const DryRun dry_run = *write_.dry_run.read();
        if (is_forced_ && dry_run != DryRun::none)
            return fail("--dry-run can not be used when --force is set");
        return for_each_manifest(session, files_, "", "replace", [&](Item& item) -> Result<void> {
            if (saves_config_) save_last_applied(item.object);
            const auto api = session.api();
            if (!api) return pass_on(api);
            if (dry_run != DryRun::client) {
                const auto done = is_forced_ ? make_again(**api, item, *query)
                                             : replace_item(**api, item, *query, write_.subresource);
                if (!done)
                    return tl::unexpected(
                        with_context(done.error(), "error when replacing \"" + item.source + "\": "));
            }
            return print_change(print_, item, with_dry_run("replaced", dry_run));
        });
    }

  private:
    Result<void> make_again(Api& api, Item& item, const Query& query) {
        DeleteWish wish{.grace_period_seconds = grace_period_ < 0 ? 0 : grace_period_, .cascade = cascade_};
        const auto deleted = delete_item(api, item, wish);
        if (!deleted && !is_not_found(deleted.error())) return pass_on(deleted);
        if (deleted) {
            cli::print(item.resource->kind_text() + " \"" + item.name + "\" deleted\n");
            if (auto gone = wait_until_gone(api, item, *deleted, timeout_); !gone) return gone;
        }
        item.object["metadata"].erase("resourceVersion");
        item.object["metadata"].erase("uid");
        return create_item(api, item, query);
    }

    FileFlags files_;
    WriteFlags write_;
    PrintFlags print_;
    bool saves_config_ = false;
    bool is_forced_ = false;
    std::int64_t grace_period_ = -1;
    std::string cascade_ = "background";
    std::int64_t timeout_ = 0;
    std::string raw_;
};

}  // namespace

void add_create_commands(Registry& registry) {
    registry.add<Create>("create", "Basic Commands", "-f FILENAME [options]",
                         "Make objects, of files or of flags",
                         "  keelctl create -f pod.yaml\n  cat pod.json | keelctl create -f -");
    registry.add<Replace>("replace", "Advanced Commands", "-f FILENAME [options]",
                          "Put objects in the place of those there are", "  keelctl replace -f pod.yaml");
}

}  // namespace keelson::cli::kube
