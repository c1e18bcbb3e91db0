// keelctl patch, label, annotate
#include <algorithm>

#include "cli/kube/command.h"
#include "cli/kube/command_groups.h"
#include "cli/kube/local.h"
#include "cli/kube/writing.h"
#include "cli/output.h"
#include "kernel/object/names.h"

namespace keelson::cli::kube {
namespace {

class Patch : public Command {
  public:
    void add_flags(Flags& flags) override {
        add_file_flags(flags, files_);
        add_write_flags(flags, write_, "keelctl-patch");
        add_print_flags(flags, print_);
        flags.text("p,patch", patch_, "The patch, as JSON or YAML");
        flags.text("patch-file", patch_file_, "A file with the patch");
        flags.text("type", type_, "How the patch is written: strategic, merge or json");
        flags.text("subresource", write_.subresource, "Only this part of the object, such as status");
        flags.flag("local", is_local_, "Change the objects of -f and do not ask the server");
    }

    Result<void> run(Session& session, const Words& words) override {
        if (is_local_ && !words.words.empty()) return fail("cannot specify --local and server resources");
        const auto patch = read_patch();
        if (!patch) return pass_on(patch);
        const auto query = write_query(write_);
        if (!query) return pass_on(query);
        const DryRun dry_run = *write_.dry_run.read();
        const auto work_here = [&](Item& item) { return patch_here(item, *patch, dry_run); };
        if (is_local_) return for_each_local(files_, work_here);
        const auto api = session.api();
        if (!api) return pass_on(api);
        if (words.words.empty() && files_.filenames.empty() && files_.kustomize.empty())
            return misused("must specify a resource to patch");
        if (dry_run == DryRun::client) return for_each_object(session, {words.words, &files_}, work_here);
        return for_each_object(session, {words.words, &files_}, [&](Item& item) -> Result<void> {
            const Object before = item.object;
            if (auto done = patch_item(**api, item, content_type(), *patch, *query, write_.subresource);
                !done)
                return done;
            // kubectl does not say that it was a dry run of the server, and scripts compare the whole line.
            return print_change(print_, item, word_for(before, item.object));
        });
    }

  private:
    static std::string word_for(const Object& before, const Object& after) {
        return before == after ? "patched (no change)" : "patched";
    }

    Result<void> patch_here(Item& item, const std::string& patch, DryRun dry_run) const {
        auto patched = patched_locally(item.object, content_type(), patch);
        if (!patched) return pass_on(patched);
        const bool is_same = item.object == *patched;
        const std::string done = word_for(item.object, *patched);
        item.object = std::move(*patched);
        return print_change(print_, item,
                            dry_run == DryRun::client && !is_same ? with_dry_run(done, dry_run) : done);
    }

    const char* content_type() const {
        return type_ == "json" ? kJsonPatch : type_ == "merge" ? kMergePatch : kStrategicPatch;
    }

    Result<std::string> read_patch() {
        type_ = lower_case(type_);
        if (type_ != "json" && type_ != "merge" && type_ != "strategic")
            return fail("--type must be one of [json merge strategic], not \"" + type_ + "\"");
        if (patch_.empty() == patch_file_.empty())
            return fail(patch_.empty()
                            ? "must specify --patch or --patch-file containing the contents of the patch"
                            : "cannot specify --patch and --patch-file together");
        if (!patch_file_.empty()) {
            auto text = read_source(patch_file_);
            if (!text) return pass_on(text);
            patch_ = std::move(*text);
        }
        auto parsed = object_of_yaml(patch_, "unable to parse \"" + patch_ + "\"");
        if (!parsed) return pass_on(parsed);
        return compact(*parsed);
    }

    FileFlags files_;
    WriteFlags write_;
    PrintFlags print_;
    std::string patch_, patch_file_;
    std::string type_ = "strategic";
    bool is_local_ = false;
};

// What differs between labels and annotations.
struct Naming {
    const char* member;    // "labels"
    const char* singular;  // "label"
    const char* done;      // "labeled"
};
constexpr Naming kLabels{"labels", "label", "labeled"};
constexpr Naming kAnnotations{"annotations", "annotation", "annotated"};

// KEY=VALUE and KEY- behind the objects.
struct Changes {
    std::vector<std::string> objects;
    std::vector<std::pair<std::string, std::string>> set;
    std::vector<std::string> removed;
};

template <const Naming& naming>
class SetNames : public Command {
  public:
    void add_flags(Flags& flags) override {
        add_file_flags(flags, files_);
        add_write_flags(flags, write_, std::string("keelctl-") + naming.singular);
        add_print_flags(flags, print_);
        add_selector_flag(flags, select_);
        add_field_selector_flag(flags, select_);
        add_all_namespaces_flag(flags, select_);
        add_all_flag(flags, select_);
        flags.flag("overwrite", overwrites_, "Also when there is one already");
        flags.flag("list", lists_, "Show what there is");
        flags.flag("local", is_local_, "Change the objects of -f and do not ask the server");
        flags.text("resource-version", resource_version_, "Only when the object is at this version");
    }

    Result<void> run(Session& session, const Words& words) override {
        auto changes = read_changes(words.words);
        if (!changes) return pass_on(changes);
        if (changes->objects.empty() && files_.filenames.empty() && files_.kustomize.empty())
            return fail("one or more resources must be specified as <resource> <name> or <resource>/<name>");
        if (changes->set.empty() && changes->removed.empty() && !lists_)
            return fail(std::string("at least one ") + naming.singular + " update is required");
        const auto query = write_query(write_);
        if (!query) return pass_on(query);
        const DryRun dry_run = *write_.dry_run.read();
        const auto work = [&](Item& item) { return change(session, item, *changes, *query, dry_run); };
        if (!is_local_) return for_each_object(session, {changes->objects, &files_, &select_}, work);
        if (!changes->objects.empty())
            return fail(&naming == &kLabels
                            ? "can only use local files by -f pod.yaml or --filename=pod.json "
                              "when --local=true is set"
                            : "can only use local files by -f rsrc.yaml or "
                              "--filename=rsrc.json when --local=true is set");
        return for_each_local(files_, work);
    }

  private:
    static bool is_change(const std::string& word) {
        return (word.find('=') != std::string::npos && word[0] != '=') ||
               (word.size() > 1 && word.ends_with('-'));
    }

    Result<Changes> read_changes(const std::vector<std::string>& words) {
        Changes changes;
        bool has_begun = false;
        for (const std::string& word : words) {
            has_begun |= is_change(word);
            if (!has_begun) {
                changes.objects.push_back(word);
                continue;
            }
            if (!is_change(word))
                return fail(std::string("all resources must be specified before ") + naming.singular +
                            " changes: " + word);
            if (const auto done = add_change(word, changes); !done) return pass_on(done);
        }
        for (const auto& [key, value] : changes.set)
            if (std::find(changes.removed.begin(), changes.removed.end(), key) != changes.removed.end())
                return fail(std::string("can not both modify and remove ") +
                            (&naming == &kLabels ? "a label" : "an annotation") + " in the same command");
        return changes;
    }

    static Result<void> add_change(const std::string& word, Changes& changes) {
        const std::size_t equals = word.find('=');
        if (equals == std::string::npos) {
            changes.removed.push_back(word.substr(0, word.size() - 1));
            return {};
        }
        const std::string key = word.substr(0, equals);
        const std::string value = word.substr(equals + 1);
        if (&naming == &kLabels)
            if (const auto wrong = object::is_label_value(value); !wrong.empty())
                return fail("invalid label value: \"" + word + "\": " + object::join_messages(wrong, ";"));
        changes.set.emplace_back(key, value);
        return {};
    }

    Result<void> list(const Item& item) {
        const Object& names = member(item.object, {"metadata", naming.member});
        if (select_.all || !select_.labels.empty())
            print("Listing " + std::string(naming.member) + " for " + item.resource->kind + "." +
                  item.resource->group + "/" + item.name + ":\n");
        for (const auto& [key, value] : names.items())
            print((select_.all ? " " : "") + key + "=" +
                  (value.is_string() ? value.template get<std::string>() : "") + "\n");
        return {};
    }

    // Keys that have another value now.
    Result<void> check_overwriting(const Item& item, const Changes& changes) const {
        if (overwrites_) return {};
        const Object& names = member(item.object, {"metadata", naming.member});
        std::string taken;
        for (const auto& [key, value] : changes.set) {
            if (!names.contains(key) || text_at(names, key) == value) continue;
            taken += (taken.empty() ? "" : ", ") + std::string("'") + key + "' already has a value (" +
                     text_at(names, key) + ")";
            if (&naming == &kLabels) return fail(taken + ", and --overwrite is false");
        }
        if (taken.empty()) return {};
        return fail("--overwrite is false but found the following declared annotation(s): " + taken);
    }

    Result<void> change(Session& session, Item& item, const Changes& changes, const Query& query,
                        DryRun dry_run) {
        if (lists_ && changes.set.empty() && changes.removed.empty()) return list(item);
        if (auto good = check_overwriting(item, changes); !good) return good;
        const Object before = item.object;
        Object patch = Object::object();
        Object& names = item.object["metadata"][naming.member];
        if (names.is_null()) names = Object::object();
        for (const auto& [key, value] : changes.set) patch[key] = names[key] = value;
        for (const std::string& key : changes.removed) {
            if (&naming == &kLabels && !names.contains(key)) print("label \"" + key + "\" not found.\n");
            patch[key] = nullptr;
            names.erase(key);
        }
        const std::string done = word_for(before, item.object, overwrites_);
        if (!is_local_ && dry_run != DryRun::client) {
            Object whole = {{"metadata", {{naming.member, patch}}}};
            if (!resource_version_.empty()) whole["metadata"]["resourceVersion"] = resource_version_;
            const auto api = session.api();
            if (!api) return pass_on(api);
            if (auto patched = patch_item(**api, item, kMergePatch, compact(whole), query); !patched)
                return patched;
        }
        if (lists_) return list(item);
        return print_change(print_, item, with_dry_run(done, dry_run));
    }

    // Scripts look at these words; "unlabeled" is for what became shorter.
    static std::string word_for(const Object& before, const Object& after, bool overwrites) {
        if (&naming == &kAnnotations) return naming.done;
        const std::string old_text = compact(before);
        const std::string new_text = compact(after);
        if (old_text == new_text) return "not labeled";
        return !overwrites && new_text.size() < old_text.size() ? "unlabeled" : "labeled";
    }

    FileFlags files_;
    WriteFlags write_;
    PrintFlags print_;
    SelectFlags select_;
    bool overwrites_ = false;
    bool lists_ = false;
    bool is_local_ = false;
    std::string resource_version_;
};

}  // namespace

void add_patch_commands(Registry& registry) {
    registry.add<Patch>(
        "patch", "Advanced Commands", "(-f FILENAME | TYPE NAME) [-p PATCH|--patch-file FILE] [options]",
        "Change some fields of objects",
        "  keelctl patch node n1 -p '{\"spec\":{\"unschedulable\":true}}'\n"
        "  keelctl patch pod a --type json -p '[{\"op\":\"remove\",\"path\":\"/metadata/labels/x\"}]'");
    registry.add<SetNames<kLabels>>(
        "label", "Settings Commands",
        "[--overwrite] (-f FILENAME | TYPE NAME) KEY_1=VAL_1 ... KEY_N=VAL_N [--resource-version=version] "
        "[options]",
        "Set and remove labels of objects",
        "  keelctl label pods a tier=front\n  keelctl label pods a tier-");
    registry.add<SetNames<kAnnotations>>(
        "annotate", "Settings Commands",
        "[--overwrite] (-f FILENAME | TYPE NAME) KEY_1=VAL_1 ... KEY_N=VAL_N [--resource-version=version] "
        "[options]",
        "Set and remove annotations of objects",
        "  keelctl annotate pods a note='see below'\n  keelctl annotate pods a note-");
}

}  // namespace keelson::cli::kube
