#include "kernel/control/role_aggregation.h"

#include <algorithm>
#include <vector>

#include "kernel/object/accessors/meta_v1.h"
#include "kernel/object/accessors/rbac_v1.h"
#include "kernel/object/selector.h"

namespace keelson::control {
namespace {

using api_types::rbac_v1::ClusterRole;
using api_types::rbac_v1::PolicyRule;
using base::Result;
using base::Task;
using object::Document;
using object::Value;

using Rules = std::vector<Value>;

bool aggregates(const client::CachedObject& role) {
    return ClusterRole(role.root()).has_aggregation_rule();
}

void add_rules(ClusterRole role, Rules& rules) {
    for (const PolicyRule rule : role.rules()) {
        const bool is_there =
            std::ranges::any_of(rules, [&](Value present) { return present.equals(rule.untyped()); });
        if (!is_there) rules.push_back(rule.untyped());
    }
}

// Selector by selector, the roles of each in the order of their names; every rule once. The values live in
// the roles.
Result<Rules> gathered_rules(const client::CachedObject& target, const ObjectList& roles) {
    Rules rules;
    for (const auto selector : ClusterRole(target.root()).aggregation_rule().cluster_role_selectors()) {
        KEELSON_TRY(const auto selects, object::LabelSelector::from_object(selector.untyped()));
        for (const ObjectPointer& object : roles) {
            const ClusterRole role(object->root());
            if (object->key() != target.key() && selects.matches(role.metadata().labels().untyped()))
                add_rules(role, rules);
        }
    }
    return rules;
}

bool has_rules(ClusterRole role, const Rules& rules) {
    const auto present = role.rules();
    if (present.size() != rules.size()) return false;
    for (std::size_t i = 0; i < rules.size(); ++i)
        if (!present[i].untyped().equals(rules[i])) return false;
    return true;
}

class RoleAggregationController final : public Controller {
  public:
    explicit RoleAggregationController(const Surroundings& surroundings)
        : roles_(surroundings.informers.of(client::collections::cluster_roles)) {}

    [[nodiscard]] std::string_view name() const override { return "clusterrole-aggregation"; }

    void watch(Queue& queue) override {
        // A change of labels moves a role from one to another: all are looked at, there are few.
        roles_.add_handler([this, &queue](const ObjectPointer&, const ObjectPointer&) {
            for (const ObjectPointer& role : roles_.list())
                if (aggregates(*role)) queue.add(role->key());
        });
    }

    Task<Result<Again>> reconcile(ObjectKey key, Writer& writer) override {
        const ObjectPointer role = roles_.get(key);
        if (!role || !aggregates(*role)) co_return done();
        const ObjectList roles = roles_.list();
        KEELSON_CO_TRY(const Rules rules, gathered_rules(*role, roles));
        if (has_rules(ClusterRole(role->root()), rules)) co_return done();
        Document changed = role->clone();
        const ClusterRole target(changed.root);
        target.clear_rules();
        const auto written_rules = target.make_rules(changed.arena);
        for (const Value rule : rules)
            written_rules.untyped().push_back(changed.arena, rule.clone(changed.arena));
        auto writing = writer.update(client::collections::cluster_roles, changed.root);
        const Writer::Object written = co_await writing;
        if (!written) co_return written.error();
        co_return done();
    }

  private:
    Informer& roles_;
};

}  // namespace

std::unique_ptr<Controller> make_role_aggregation_controller(const Surroundings& surroundings) {
    return std::make_unique<RoleAggregationController>(surroundings);
}

}  // namespace keelson::control
