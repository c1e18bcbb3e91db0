// keelctl apply view-last-applied, set-last-applied, edit-last-applied: the annotation in which a client
// keeps what it has applied.
#include <nlohmann/json.hpp>

#include "cli/kube/command.h"
#include "cli/kube/command_groups.h"
#include "cli/kube/editing.h"
#include "cli/kube/writing.h"
#include "cli/output.h"
#include "cli/print/go_text.h"

namespace keelson::cli::kube {
namespace {

constexpr const char* kManager = "keelctl-last-applied";
constexpr int kIndent = 2;

std::string last_applied_of(const Object& object) {
    return text_at(member(object, {"metadata", "annotations"}), kLastApplied);
}

Result<Object> read_last_applied(const Item& item, const std::string& text) {
    return parse_object(text, "the last-applied-configuration annotation of " + item.text());
}

// Writes the annotation and nothing else; the item becomes what the server has then.
Result<void> write_last_applied(Api& api, Item& item, const Object& configuration, const Query& query) {
    const Object patch = {{"metadata", {{"annotations", {{kLastApplied, go_line(configuration)}}}}}};
    return patch_item(api, item, kMergePatch, compact(patch), query);
}

class ViewLastApplied : public Command {
  public:
    void add_flags(Flags& flags) override {
        add_file_flags(flags, files_);
        add_selector_flag(flags, select_);
        add_all_flag(flags, select_);
        flags.text("o,output", output_, "How to print: yaml or json");
    }

    Result<void> run(Session& session, const Words& words) override {
        std::vector<Object> configurations;
        auto done =
            for_each_object(session, {words.words, &files_, &select_}, [&](Item& item) -> Result<void> {
                const std::string text = last_applied_of(item.object);
                // Of an object from the server that has none there is nothing to show.
                if (text.empty() && item.source.empty()) return {};
                if (text.empty())
                    return fail("no last-applied-configuration annotation found on resource: " + item.name +
                                ", of \"" + item.source + "\"");
                auto configuration = read_last_applied(item, text);
                if (!configuration) return pass_on(configuration);
                configurations.push_back(std::move(*configuration));
                return {};
            });
        if (!done) return done;
        for (const Object& configuration : configurations) {
            if (output_ != "json" && output_ != "yaml")
                return misused("Unexpected -o output mode: " + output_ +
                               ", the flag 'output' must be one of yaml|json");
            print(output_ == "json" ? printing::go_json(configuration, kIndent) + "\n"
                                    : yaml_of(configuration));
        }
        return {};
    }

  private:
    FileFlags files_;
    SelectFlags select_;
    std::string output_ = "yaml";
};

class SetLastApplied : public Command {
  public:
    void add_flags(Flags& flags) override {
        add_file_flags(flags, files_);
        add_write_flags(flags, write_, kManager);
        add_print_flags(flags, print_);
        flags.flag("create-annotation", makes_annotation_, "Also where there is no annotation yet");
    }

    Result<void> run(Session& session, const Words& /*words*/) override {
        const auto query = write_query(write_);
        if (!query) return pass_on(query);
        if (auto good = check_format(print_); !good) return good;
        const auto api = session.api();
        if (!api) return pass_on(api);
        const std::vector<std::string> no_words;
        auto selection = select(session, {no_words, &files_});
        if (!selection) return pass_on(selection);
        for (Item& item : selection->items)
            if (auto done = compare(**api, item); !done) return done;
        const DryRun dry_run = *write_.dry_run.read();
        for (Change& change : changes_) {
            if (dry_run != DryRun::client)
                if (auto done = write_last_applied(**api, change.item, change.configuration, *query); !done)
                    return done;
            if (auto printed = print_change(print_, change.item, with_dry_run("configured", dry_run));
                !printed)
                return printed;
        }
        return {};
    }

  private:
    struct Change {
        Item item;
        Object configuration;
    };

    // Nothing is written before all objects are known to be there.
    Result<void> compare(Api& api, Item& item) {
        auto live = api.ask({.path = item.path()});
        if (!live) return pass_on(live);
        const std::string old = last_applied_of(*live);
        if (old.empty() && !makes_annotation_)
            return fail("no last-applied-configuration annotation found on resource: " + item.name +
                        ", to create the annotation, run the command with --create-annotation");
        if (Object::parse(old, nullptr, false) == item.object) {
            print("set-last-applied " + item.name + ": no changes required.\n");
            return {};
        }
        Change change{item, std::move(item.object)};
        change.item.object = std::move(*live);
        changes_.push_back(std::move(change));
        return {};
    }

    FileFlags files_;
    WriteFlags write_;
    PrintFlags print_;
    bool makes_annotation_ = false;
    std::vector<Change> changes_;
};

class EditLastApplied : public Command {
  public:
    void add_flags(Flags& flags) override {
        add_file_flags(flags, files_);
        add_write_flags(flags, write_, kManager);
        add_validate_flag(flags, write_);
        add_print_flags(flags, print_);
        flags.flag("windows-line-endings", ignored_, "Taken for the sake of scripts").is_hidden = true;
    }

    Result<void> run(Session& session, const Words& words) override {
        if (auto good = check_edit_format(print_); !good) return good;
        const auto query = write_query(write_);
        if (!query) return pass_on(query);
        const auto api = session.api();
        if (!api) return pass_on(api);
        bool has_annotation = false;
        auto done = for_each_object(session, {words.words, &files_}, [&](Item& item) -> Result<void> {
            const std::string text = last_applied_of(item.object);
            if (text.empty()) return {};
            has_annotation = true;
            const auto configuration = read_last_applied(item, text);
            if (!configuration) return pass_on(configuration);
            return edit_text(print_.output == "json" ? pretty_json(*configuration) : yaml_of(*configuration),
                             print_.output == "json" ? "json" : "yaml", [&](const std::string& edited) {
                                 return save(**api, item, *configuration, edited, *query);
                             });
        });
        if (!done || has_annotation) return done;
        return fail(
            "no last-applied-configuration annotation found on resources, to create the annotation, use "
            "command `keelctl apply set-last-applied --create-annotation`");
    }

  private:
    Result<void> save(Api& api, Item& item, const Object& before, const std::string& text,
                      const Query& query) {
        const auto edited = object_of_edit(text, item.resource->kind, item.name);
        if (!edited) return pass_on(edited);
        Item changed = item;
        const bool is_same = *edited == before;
        const DryRun dry_run = *write_.dry_run.read();
        if (!is_same && dry_run != DryRun::client)
            if (auto done = write_last_applied(api, changed, *edited, query); !done) return done;
        // What is edited is the configuration, and so is what is shown of it.
        changed.object = *edited;
        return print_change(print_, changed, with_dry_run(is_same ? "skipped" : "edited", dry_run));
    }

    FileFlags files_;
    WriteFlags write_;
    PrintFlags print_;
    bool ignored_ = false;
};

}  // namespace

void add_last_applied_commands(Registry& registry) {
    registry.add<ViewLastApplied>("apply view-last-applied", "",
                                  "(TYPE [NAME | -l label] | TYPE/NAME | -f FILENAME) [options]",
                                  "What was applied last, as the annotation of clients keeps it",
                                  "  keelctl apply view-last-applied deploy/web\n"
                                  "  keelctl apply view-last-applied -f app.yaml -o json");
    registry.add<SetLastApplied>("apply set-last-applied", "", "-f FILENAME [options]",
                                 "Let the annotation say what is in a file, and change nothing else",
                                 "  keelctl apply set-last-applied -f app.yaml --create-annotation");
    registry.add<EditLastApplied>("apply edit-last-applied", "", "(RESOURCE/NAME | -f FILENAME) [options]",
                                  "Change the annotation in an editor",
                                  "  keelctl apply edit-last-applied deploy/web");
}

}  // namespace keelson::cli::kube
