// keelctl edit
#include <cstdlib>
#include <fstream>

#include "cli/kube/command.h"
#include "cli/kube/command_groups.h"
#include "cli/kube/writing.h"
#include "cli/output.h"
#include "cli/process.h"
#include "kernel/base/files.h"

namespace keelson::cli::kube {
namespace {

// An editor that is a script might never come to an end.
constexpr int kMostTries = 50;
constexpr std::size_t kLongestFile = 64u << 20;

std::vector<std::string> editor_words() {
    for (const char* name : {"KUBE_EDITOR", "EDITOR"})
        if (const char* editor = std::getenv(name); editor != nullptr && *editor != '\0')
            return split_words(editor);
    return {"vi"};
}

std::string as_comment(const std::string& text) {
    std::string comment;
    std::size_t begin = 0;
    while (begin < text.size()) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        comment += "# " + text.substr(begin, end - begin) + "\n";
        begin = end + 1;
    }
    return comment;
}

// The lines that begin with '#' at the top are not the user's.
std::string without_comments(const std::string& text) {
    std::string rest;
    std::size_t begin = 0;
    while (begin < text.size()) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        if (text[begin] != '#') rest += text.substr(begin, end + 1 - begin);
        begin = end + 1;
    }
    return rest;
}

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
        if (words.words.empty() && files_.filenames.empty())
            return misused("must specify the objects to edit");
        const auto query = write_query(write_);
        if (!query) return pass_on(query);
        const auto api = session.api();
        if (!api) return pass_on(api);
        return for_each_object(session, {words.words, &files_},
                               [&](Item& item) { return edit(**api, item, *query); });
    }

  private:
    std::string text_of(Object object) const {
        if (!print_.shows_managed_fields) object["metadata"].erase("managedFields");
        return print_.output == "json" ? pretty_json(object) : yaml_of(object);
    }

    static std::string heading(const std::string& problem) {
        std::string text =
            "# Edit the object below. Lines that begin with '#' are left out, and an empty file\n"
            "# ends the edit. What the server does not take is shown here again with the reason.\n#\n";
        if (!problem.empty()) text += as_comment(problem) + "#\n";
        return text;
    }

    static Result<std::string> let_edit(const std::string& file, const std::string& text) {
        if (const auto written = base::write_file_atomic(file, text); !written)
            return fail(written.error().message());
        std::vector<std::string> words = editor_words();
        words.push_back(file);
        const auto ended = run_program({.words = words});
        if (!ended)
            return fail("unable to launch the editor: " + ended.error().message +
                        "; name one with KUBE_EDITOR");
        if (ended->code != 0)
            return fail("there was a problem with the editor \"" + words.front() + "\": exit code " +
                        std::to_string(ended->code));
        auto edited = base::read_file(file, kLongestFile);
        if (!edited) return fail(edited.error().message());
        return std::move(*edited);
    }

    // Until the server takes it, or the user gives up.
    Result<void> edit(Api& api, Item& item, const Query& query) {
        auto directory = TemporaryDirectory::make("keelctl-edit-");
        if (!directory) return pass_on(directory);
        const std::string file = directory->path() + "/edit." + (print_.output == "json" ? "json" : "yaml");
        const std::string original = text_of(item.object);
        std::string text = original;
        std::string problem;
        for (int tries = 0; tries < kMostTries; ++tries) {
            const auto edited = let_edit(file, heading(problem) + text);
            if (!edited) return pass_on(edited);
            const std::string content = without_comments(*edited);
            if (content.find_first_not_of(" \t\r\n") == std::string::npos)
                return give_up("Edit cancelled, saved file was empty.");
            if (content == original) return give_up("Edit cancelled, no changes made.");
            if (!problem.empty() && content == text) {
                warn(problem + "\nA copy of your changes has been stored to \"" + file + "\"");
                directory->keep();
                return fail("Edit cancelled, no valid changes were saved.");
            }
            text = content;
            const auto done = save(api, item, text, query);
            if (!done && done.error().refusal == nullptr && !done.error().is_whole) {
                problem = done.error().message;
            } else if (!done && (is_refused_as(done.error(), "Invalid") ||
                                 is_refused_as(done.error(), "BadRequest"))) {
                problem = done.error().message;
            } else {
                if (!done) {
                    warn("A copy of your changes has been stored to \"" + file + "\"");
                    directory->keep();
                }
                return done;
            }
        }
        return fail("Edit cancelled, no valid changes were saved: " + problem);
    }

    static Result<void> give_up(const std::string& why) {
        warn(why);
        return {};
    }

    Result<void> save(Api& api, Item& item, const std::string& text, const Query& query) {
        const auto documents = read_documents(text, "the edited file");
        if (!documents) return pass_on(documents);
        if (documents->size() != 1 || !documents->front().is_object())
            return fail("the edited file must hold one object");
        const Object& after = documents->front();
        if (name_of(after) != item.name || text_at(after, "kind") != item.resource->kind)
            return fail("kind and name of the object must stay as they are");
        Object before = item.object;
        if (!print_.shows_managed_fields) before["metadata"].erase("managedFields");
        const Object patch = merge_patch_between(before, after);
        if (patch.is_null()) {
            warn("Edit cancelled, no changes made.");
            return {};
        }
        Item changed = item;
        if (const auto done =
                patch_item(api, changed, kMergePatch, compact(patch), query, write_.subresource);
            !done)
            return done;
        PrintFlags print = print_;
        if (print.output == "yaml" || print.output == "json") print.output.clear();
        return print_change(print, changed, with_dry_run("edited", *write_.dry_run.read()));
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
