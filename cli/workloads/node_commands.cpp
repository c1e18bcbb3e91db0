// keelctl cordon, uncordon, taint
#include <nlohmann/json.hpp>

#include "cli/kube/command.h"
#include "cli/kube/writing.h"
#include "cli/output.h"
#include "cli/workloads/command_groups.h"
#include "cli/workloads/cordoning.h"
#include "cli/workloads/taints.h"

namespace keelson::cli::kube {
namespace {

class Cordon : public Command {
  public:
    explicit Cordon(bool is_cordoned) : is_cordoned_(is_cordoned) {}

    void add_flags(Flags& flags) override {
        add_selector_flag(flags, select_);
        add_dry_run_flag(flags, dry_run_);
    }

    Result<void> run(Session& session, const Words& words) override {
        if (words.words.empty() && select_.labels.empty())
            return misused("USAGE: " + path() + " NODE [flags]");
        const auto dry_run = dry_run_.read();
        if (!dry_run) return pass_on(dry_run);
        const auto api = session.api();
        if (!api) return pass_on(api);
        std::vector<std::string> nodes{"nodes"};
        for (const std::string& word : words.words)
            nodes.push_back(word.starts_with("node/") ? word.substr(5) : word);
        return for_each_object(session, {nodes, nullptr, &select_},
                               [&](Item& item) { return set_cordon(**api, item, is_cordoned_, *dry_run); });
    }

  private:
    bool is_cordoned_;
    SelectFlags select_;
    DryRunFlag dry_run_;
};

bool is_change(const std::string& word) {
    return word.find('=') != std::string::npos || word.find(':') != std::string::npos || word.ends_with('-');
}

class TaintNodes final : public Command {
  public:
    void add_flags(Flags& flags) override {
        add_selector_flag(flags, select_);
        add_all_flag(flags, select_);
        add_write_flags(flags, write_, "keelctl-taint");
        add_validate_flag(flags, write_);
        add_print_flags(flags, print_);
        flags.flag("overwrite", overwrites_, "Also when there is one already");
    }

    Result<void> run(Session& session, const Words& words) override {
        std::vector<std::string> objects, taints;
        for (const std::string& word : words.words) {
            if (is_change(word))
                taints.push_back(word);
            else if (taints.empty())
                objects.push_back(word);
            else
                return fail("all resources must be specified before taint changes: " + word);
        }
        if (objects.empty()) return misused("one or more resources must be specified as <resource> <name>");
        if (taints.empty()) return fail("at least one taint update is required");
        if (auto good = check_type(session, objects.front()); !good) return good;
        const auto changes = parse_taints(taints);
        if (!changes) return misused(changes.error().message);
        const auto query = write_query(write_);
        if (!query) return pass_on(query);
        const DryRun dry_run = *write_.dry_run.read();
        const auto api = session.api();
        if (!api) return pass_on(api);
        return for_each_object(session, {objects, nullptr, &select_}, [&](Item& item) -> Result<void> {
            auto wanted = changed_taints(item.object, *changes, overwrites_);
            if (!wanted) return pass_on(wanted);
            const std::string done = word_for(*changes, item.object, *wanted);
            // The version makes sure that no taint of somebody else is lost.
            const Object patch{{"metadata", {{"resourceVersion", resource_version_of(item.object)}}},
                               {"spec", {{"taints", *wanted}}}};
            item.object["spec"]["taints"] = *wanted;
            if (dry_run != DryRun::client)
                if (auto sent = patch_item(**api, item, kMergePatch, compact(patch), *query); !sent)
                    return sent;
            return print_change(print_, item, done);
        });
    }

  private:
    static Result<void> check_type(Session& session, const std::string& word) {
        const auto types = session.discovery();
        if (!types) return pass_on(types);
        const std::string type = word.substr(0, word.find('/'));
        const auto found = (*types)->find_type(type);
        if (!found) return pass_on(found);
        if ((*found)->kind == "Node") return {};
        return fail("invalid resource type " + type + ", only node types are supported");
    }

    // A taint that takes the place of another is a modification too.
    static std::string word_for(const TaintChanges& changes, const Object& node, const Object& after) {
        if (changes.added.empty()) return "untainted";
        const Object& before = member(node, {"spec", "taints"});
        const bool adds_all = after.size() == before.size() + changes.added.size();
        return changes.removed.empty() && adds_all ? "tainted" : "modified";
    }

    SelectFlags select_;
    WriteFlags write_;
    PrintFlags print_;
    bool overwrites_ = false;
};

}  // namespace

Result<void> set_cordon(Api& api, Item& node, bool is_cordoned, DryRun dry_run) {
    const bool is_so = member(node.object, {"spec", "unschedulable"}) == true;
    const std::string word = is_cordoned ? "cordoned" : "uncordoned";
    if (is_so == is_cordoned) {
        print(node.text() + " " + with_dry_run("already " + word, dry_run) + "\n");
        return {};
    }
    Query query;
    add_dry_run_query(dry_run, query);
    const Object patch{{"spec", {{"unschedulable", is_cordoned ? Object(true) : Object(nullptr)}}}};
    if (dry_run != DryRun::client)
        if (auto sent = patch_item(api, node, kMergePatch, compact(patch), query); !sent)
            return tl::unexpected(
                with_context(sent.error(), "unable to " + std::string(is_cordoned ? "cordon" : "uncordon") +
                                               " node \"" + node.name + "\": "));
    print(node.text() + " " + with_dry_run(word, dry_run) + "\n");
    return {};
}

void add_cordon_commands(Registry& registry) {
    registry.add({"cordon", "Cluster Management Commands", "NODE [options]", "Let no new pods on a node",
                  "  keelctl cordon n1", [] { return std::make_unique<Cordon>(true); }});
    registry.add({"uncordon", "Cluster Management Commands", "NODE [options]", "Let new pods on a node again",
                  "  keelctl uncordon n1", [] { return std::make_unique<Cordon>(false); }});
    registry.add<TaintNodes>("taint", "Cluster Management Commands",
                             "NODE NAME KEY_1=VAL_1:TAINT_EFFECT_1 ... KEY_N=VAL_N:TAINT_EFFECT_N [options]",
                             "Set and remove what keeps pods off nodes",
                             "  keelctl taint nodes n1 disk=slow:NoSchedule\n  keelctl taint nodes n1 disk-");
}

}  // namespace keelson::cli::kube
