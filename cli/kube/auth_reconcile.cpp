// keelctl auth reconcile
#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/kube/command.h"
#include "cli/kube/command_groups.h"
#include "cli/kube/deleting.h"
#include "cli/kube/rbac_rules.h"
#include "cli/kube/writing.h"

namespace keelson::cli::kube {
namespace {

constexpr const char* kAccessGroup = "rbac.authorization.k8s.io";

// What has to be done, told on standard error before it is.
struct Plan {
    std::string operation;  // "", "create", "update", "recreate"
    std::vector<std::string> missing, extra;
};

class Reconcile : public Command {
  public:
    void add_flags(Flags& flags) override {
        add_file_flags(flags, files_);
        add_print_flags(flags, print_);
        add_dry_run_flag(flags, dry_run_);
        flags.flag("remove-extra-permissions", removes_permissions_,
                   "Take from roles what the files do not give");
        flags.flag("remove-extra-subjects", removes_subjects_,
                   "Take from bindings whom the files do not name");
    }

    Result<void> run(Session& session, const Words& /*words*/) override {
        if (files_.filenames.empty() && files_.kustomize.empty())
            return fail("must specify one of -f and -k");
        const auto dry_run = dry_run_.read();
        if (!dry_run) return pass_on(dry_run);
        if (*dry_run == DryRun::server)
            return fail("--dry-run=server for command reconcile is not supported yet");
        is_dry_ = *dry_run == DryRun::client;
        const auto api = session.api();
        if (!api) return pass_on(api);
        return for_each_manifest(session, files_, "", "reconcile",
                                 [&](Item& item) { return reconcile(session, **api, item); });
    }

  private:
    Result<void> reconcile(Session& session, Api& api, Item& item) {
        const bool is_role = item.resource->kind == "Role" || item.resource->kind == "ClusterRole";
        const bool is_binding =
            item.resource->kind == "RoleBinding" || item.resource->kind == "ClusterRoleBinding";
        // Others are left to other commands.
        if (item.resource->group != kAccessGroup || (!is_role && !is_binding)) return {};
        std::optional<Object> there;
        auto found = api.ask({.path = item.path()});
        if (found)
            there = std::move(*found);
        else if (!is_not_found(found.error()))
            return pass_on(found);
        const Plan plan = is_role ? plan_role(item, there) : plan_binding(item, there);
        tell(plan, is_role ? "rules" : "subjects");
        if (!is_dry_)
            if (auto done = carry_out(session, api, item, plan); !done) return done;
        return print_change(print_, item, is_dry_ ? "reconciled (dry run)" : "reconciled");
    }

    // Each puts into the item what it shall become.
    Plan plan_role(Item& item, const std::optional<Object>& there) const {
        Plan plan;
        const Object wanted = item.object;
        const Object& rules = member(wanted, "rules");
        if (!there) {
            plan.operation = "create";
            for (const Object& rule : rules) plan.missing.push_back(AccessRule::of(rule).text());
            return plan;
        }
        item.object = *there;
        const auto missing = rules_beyond(rules, member(*there, "rules"));
        const auto extra = rules_beyond(member(*there, "rules"), rules);
        for (const AccessRule& rule : missing) plan.missing.push_back(rule.text());
        if (removes_permissions_) {
            for (const AccessRule& rule : extra) plan.extra.push_back(rule.text());
            if (!missing.empty() || !extra.empty()) item.object["rules"] = rules;
        } else {
            for (const AccessRule& rule : missing) item.object["rules"].push_back(rule.object());
        }
        if (wanted.contains("aggregationRule")) add_selectors(item.object, wanted);
        add_names(item.object, wanted);
        plan.operation = item.object == *there ? "" : "update";
        return plan;
    }

    Plan plan_binding(Item& item, const std::optional<Object>& there) const {
        Plan plan;
        const Object wanted = item.object;
        const Object& subjects = member(wanted, "subjects");
        if (!there) {
            plan.operation = "create";
            for (const Object& subject : subjects) plan.missing.push_back(subject_text(subject));
            return plan;
        }
        if (!is_same_role(member(wanted, "roleRef"), member(*there, "roleRef"))) {
            plan.operation = "recreate";
            return plan;
        }
        item.object = *there;
        const auto missing = subjects_beyond(subjects, member(*there, "subjects"));
        const auto extra = subjects_beyond(member(*there, "subjects"), subjects);
        for (const Object& subject : missing) plan.missing.push_back(subject_text(subject));
        if (removes_subjects_) {
            for (const Object& subject : extra) plan.extra.push_back(subject_text(subject));
            if (!missing.empty() || !extra.empty()) item.object["subjects"] = subjects;
        } else {
            for (const Object& subject : missing) item.object["subjects"].push_back(subject);
        }
        add_names(item.object, wanted);
        plan.operation = item.object == *there ? "" : "update";
        return plan;
    }

    static bool is_same_role(const Object& one, const Object& other) {
        return text_at(one, "kind") == text_at(other, "kind") &&
               text_at(one, "name") == text_at(other, "name");
    }

    // Labels and annotations that are not there yet.
    static void add_names(Object& object, const Object& wanted) {
        for (const char* list : {"labels", "annotations"})
            for (const auto& [name, value] : member(wanted, {"metadata", list}).items())
                if (!member(object, {"metadata", list}).contains(name))
                    object["metadata"][list][name] = value;
    }

    void add_selectors(Object& role, const Object& wanted) const {
        const Object& selectors = member(wanted, {"aggregationRule", "clusterRoleSelectors"});
        Object& there = role["aggregationRule"]["clusterRoleSelectors"];
        if (removes_permissions_) {
            there = selectors;
            return;
        }
        for (const Object& selector : selectors)
            if (std::find(there.begin(), there.end(), selector) == there.end()) there.push_back(selector);
    }

    void tell(const Plan& plan, const std::string& what) const {
        if (!plan.operation.empty()) warn("\treconciliation required " + plan.operation);
        if (!plan.missing.empty()) warn("\tmissing " + what + " added:");
        for (const std::string& one : plan.missing) warn("\t\t" + one);
        if (!plan.extra.empty()) warn("\textra " + what + " removed:");
        for (const std::string& one : plan.extra) warn("\t\t" + one);
    }

    static Result<void> carry_out(Session& session, Api& api, Item& item, const Plan& plan) {
        if (plan.operation.empty()) return {};
        if (plan.operation == "update") return replace_item(api, item, {});
        if (plan.operation == "recreate") {
            const auto deleted = delete_item(api, item, {});
            if (!deleted && !is_not_found(deleted.error())) return pass_on(deleted);
        }
        if (auto made = make_namespace(session, api, item); !made) return made;
        return create_item(api, item, {});
    }

    // That the object goes to, unless it is there.
    static Result<void> make_namespace(Session& session, Api& api, const Item& item) {
        if (!item.resource->is_namespaced) return {};
        const auto types = session.discovery();
        if (!types) return pass_on(types);
        const auto namespaces = (*types)->find_type("namespaces");
        if (!namespaces) return pass_on(namespaces);
        Item made{.resource = *namespaces, .name = item.namespace_name};
        made.object = {
            {"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", item.namespace_name}}}};
        auto created = create_item(api, made, {});
        // Who may not make namespaces may still write into one.
        if (!created &&
            (is_refused_as(created.error(), "AlreadyExists") || is_refused_as(created.error(), "Forbidden")))
            return {};
        return created;
    }

    FileFlags files_;
    PrintFlags print_;
    DryRunFlag dry_run_;
    bool is_dry_ = false;
    bool removes_permissions_ = false;
    bool removes_subjects_ = false;
};

}  // namespace

void add_auth_reconcile_command(Registry& registry) {
    registry.add<Reconcile>("auth reconcile", "", "-f FILENAME [options]",
                            "Make roles and bindings allow what those in files allow",
                            "  keelctl auth reconcile -f access.yaml --remove-extra-permissions");
}

}  // namespace keelson::cli::kube
