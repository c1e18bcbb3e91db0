// keelctl edit
#include "cli/kube/command.h"
#include "cli/kube/command_groups.h"
#include "cli/kube/editing.h"
#include "cli/kube/writing.h"

namespace keelson::cli::kube {
namespace {

class Edit : public Command {
  public:
    void add_flags(Flags& flags) override {
        add_file_flags(flags, files_);
        add_write_flags(flags, write_, "keelctl-edit");
        add_validate_flag(flags, write_);
        add_print_flags(flags, print_);
        flags.text("subresource", write_.subresource, "Only this part of the object, such as status");
        flags.flag("save-config", ignored_, "Taken for the sake of scripts").is_hidden = true;
        flags.flag("windows-line-endings", ignored_, "Taken for the sake of scripts").is_hidden = true;
    }

    Result<void> run(Session& session, const Words& words) override {
        if (auto good = check_edit_format(print_); !good) return good;
        const auto query = write_query(write_);
        if (!query) return pass_on(query);
        const auto api = session.api();
        if (!api) return pass_on(api);
        return for_each_object(session, {words.words, &files_}, [&](Item& item) {
            return edit_text(text_of(item.object), print_.output == "json" ? "json" : "yaml",
                             [&](const std::string& text) { return save(**api, item, text, *query); });
        });
    }

  private:
    std::string text_of(Object object) const {
        if (!print_.shows_managed_fields) object["metadata"].erase("managedFields");
        return print_.output == "json" ? pretty_json(object) : yaml_of(object);
    }

    Result<void> save(Api& api, Item& item, const std::string& text, const Query& query) {
        const auto edited = object_of_edit(text, item.resource->kind, item.name);
        if (!edited) return pass_on(edited);
        const Object& after = *edited;
        Object before = item.object;
        if (!print_.shows_managed_fields) before["metadata"].erase("managedFields");
        const Object patch = merge_patch_between(before, after);
        if (patch.is_null()) {
            warn("Edit cancelled, no changes made.");
            return {};
        }
        Item changed = item;
        if (auto done = patch_item(api, changed, kMergePatch, compact(patch), query, write_.subresource);
            !done)
            return done;
        return print_change(print_, changed, with_dry_run("edited", *write_.dry_run.read()));
    }

    FileFlags files_;
    WriteFlags write_;
    PrintFlags print_;
    bool ignored_ = false;
};

}  // namespace

void add_edit_command(Registry& registry) {
    registry.add<Edit>("edit", "Basic Commands", "(RESOURCE/NAME | -f FILENAME) [options]",
                       "Change an object in an editor",
                       "  keelctl edit deploy/web\n  KUBE_EDITOR=nano keelctl edit svc/a");
}

}  // namespace keelson::cli::kube
