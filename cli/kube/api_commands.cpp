// keelctl api-resources, api-versions
#include <algorithm>

#include "cli/kube/command.h"
#include "cli/kube/command_groups.h"
#include "cli/kube/table.h"
#include "cli/output.h"

namespace keelson::cli::kube {
namespace {

std::string joined(const std::vector<std::string>& list, const char* between) {
    std::string text;
    for (const std::string& one : list) text += (text.empty() ? "" : between) + one;
    return text;
}

class ApiResources : public Command {
  public:
    void add_flags(Flags& flags) override {
        flags.text("api-group", group_, "Only types of this group");
        flags.flag("namespaced", is_namespaced_,
                   "Only types whose objects are in namespaces; =false: only others");
        flags.list("verbs", verbs_, "Only types with all of these verbs");
        flags.list("categories", categories_, "Only types in all of these categories");
        flags.text("o,output", output_, "wide: with verbs and categories; name: one name a line");
        flags.flag("no-headers", has_no_headers_, "Leave the line of headings out");
        flags.flag("cached", ignored_, "keelctl keeps no cache").is_hidden = true;
        flags.text("sort-by", sort_by_, "In which order: name or kind");
    }

    Result<void> run(Session& session, const Words& words) override {
        if (!words.words.empty()) return misused("unexpected arguments: [" + joined(words.words, " ") + "]");
        if (!output_.empty() && output_ != "wide" && output_ != "name")
            return fail("--output " + output_ + " is not available");
        if (!sort_by_.empty() && sort_by_ != "name" && sort_by_ != "kind")
            return fail("--sort-by accepts only name or kind");
        const auto types = session.discovery();
        if (!types) return pass_on(types);
        std::vector<const Resource*> chosen;
        for (const Resource& one : (*types)->all())
            if ((*types)->is_preferred(one) && is_chosen(one)) chosen.push_back(&one);
        std::stable_sort(chosen.begin(), chosen.end(), [this](const Resource* a, const Resource* b) {
            const auto key = [this](const Resource* one) {
                return sort_by_ == "kind" ? one->kind : sort_by_ == "name" ? one->plural : one->group;
            };
            return std::pair(key(a), a->plural) < std::pair(key(b), b->plural);
        });
        print_list(chosen);
        return {};
    }

  private:
    bool is_chosen(const Resource& one) const {
        if (one.verbs.empty()) return false;
        if (flags().was_given("api-group") && one.group != group_) return false;
        if (flags().was_given("namespaced") && one.is_namespaced != is_namespaced_) return false;
        const auto has_all = [](const std::vector<std::string>& list,
                                const std::vector<std::string>& wanted) {
            return std::all_of(wanted.begin(), wanted.end(), [&](const std::string& text) {
                return std::find(list.begin(), list.end(), text) != list.end();
            });
        };
        return has_all(one.verbs, verbs_) && has_all(one.categories, categories_);
    }

    void print_list(const std::vector<const Resource*>& chosen) const {
        if (output_ == "name") {
            for (const Resource* one : chosen) print(one->type_text() + "\n");
            return;
        }
        Columns columns;
        const bool is_wide = output_ == "wide";
        const auto add = [&](std::vector<std::string> cells, const std::string& verbs,
                             const std::string& categories) {
            if (is_wide) cells.insert(cells.end(), {verbs, categories});
            columns.add(std::move(cells));
        };
        if (!has_no_headers_)
            add({"NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND"}, "VERBS", "CATEGORIES");
        for (const Resource* one : chosen)
            add({one->plural, joined(one->short_names, ","), one->api_version(),
                 one->is_namespaced ? "true" : "false", one->kind},
                joined(one->verbs, ","), joined(one->categories, ","));
        print(columns.take());
    }

    std::string group_;
    bool is_namespaced_ = true;
    std::vector<std::string> verbs_, categories_;
    std::string output_, sort_by_;
    bool has_no_headers_ = false;
    bool ignored_ = false;
};

class ApiVersions : public Command {
  public:
    void add_flags(Flags& /*flags*/) override {}

    Result<void> run(Session& session, const Words& /*words*/) override {
        const auto types = session.discovery();
        if (!types) return pass_on(types);
        std::vector<std::string> versions = (*types)->group_versions();
        std::sort(versions.begin(), versions.end());
        for (const std::string& version : versions) print(version + "\n");
        return {};
    }
};

}  // namespace

void add_api_commands(Registry& registry) {
    registry.add<ApiResources>(
        "api-resources", "Other Commands", "[options]", "List the types that the server knows",
        "  keelctl api-resources --namespaced=false\n  keelctl api-resources --api-group=apps -o wide");
    registry.add<ApiVersions>("api-versions", "Other Commands", "",
                              "List the versions of the server's groups, as GROUP/VERSION");
}

}  // namespace keelson::cli::kube
