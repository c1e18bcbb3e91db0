#include "kernel/control/status.h"

#include <algorithm>

#include "kernel/object/accessors/meta_v1.h"
#include "kernel/object/time_format.h"

namespace keelson::control {
namespace {

using object::Value;

bool is_nothing(Value value) {
    switch (value.kind()) {
        case object::Kind::boolean:
            return !value.as_boolean();
        case object::Kind::integer:
            return value.as_integer() == 0;
        case object::Kind::string:
        case object::Kind::list:
        case object::Kind::map:
            return value.empty();
        default:
            return value.is_unset();
    }
}

bool has_all_of(Value one, Value other) {
    return std::ranges::all_of(other.members(), [&](const object::Member& member) {
        const Value mine = one[member.name];
        return mine.equals(member.value) || (is_nothing(mine) && is_nothing(member.value));
    });
}

}  // namespace

using api_types::meta_v1::Condition;
using object::Arena;

// All kinds of conditions have the fields of the general one.
Value find_condition(Value conditions, std::string_view type) {
    for (const Value condition : conditions.items())
        if (Condition(condition).type() == type) return condition;
    return {};
}

bool is_condition_true(Value conditions, std::string_view type) {
    return Condition(find_condition(conditions, type)).status() == "True";
}

bool set_condition(Value conditions, const ConditionState& wanted, base::WallTime now, Arena& arena) {
    Condition condition(find_condition(conditions, wanted.type));
    const bool is_new = !condition.is_set();
    if (is_new) {
        condition = Condition(Value::map(arena));
        condition.set_type(arena, wanted.type);
        conditions.push_back(arena, condition.untyped());
    } else if (condition.status() == wanted.status && condition.reason() == wanted.reason &&
               condition.message() == wanted.message) {
        return false;
    }
    if (is_new || condition.status() != wanted.status)
        condition.set_last_transition_time(arena, object::format_time(object::instant_of(now)));
    condition.set_status(arena, wanted.status);
    condition.set_reason(arena, wanted.reason);
    condition.set_message(arena, wanted.message);
    return true;
}

bool remove_condition(Value conditions, std::string_view type) {
    const auto items = conditions.items();
    for (std::size_t index = 0; index < items.size(); ++index) {
        if (Condition(items[index]).type() != type) continue;
        conditions.remove_at(index);
        return true;
    }
    return false;
}

bool is_same_status(Value one, Value other) {
    return has_all_of(one, other) && has_all_of(other, one);
}

}  // namespace keelson::control
