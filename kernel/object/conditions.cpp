#include "kernel/object/conditions.h"

#include <algorithm>

#include "kernel/object/time_format.h"

namespace keelson::object {
namespace {

bool is_nothing(Value value) {
    switch (value.kind()) {
        case Kind::boolean:
            return !value.as_boolean();
        case Kind::integer:
            return value.as_integer() == 0;
        case Kind::string:
        case Kind::list:
        case Kind::map:
            return value.empty();
        default:
            return value.is_unset();
    }
}

bool has_all_of(Value one, Value other) {
    return std::ranges::all_of(other.members(), [&](const Member& member) {
        const Value mine = one[member.name];
        return mine.equals(member.value) || (is_nothing(mine) && is_nothing(member.value));
    });
}

}  // namespace

// All kinds of conditions have the fields of the general one.
Value find_condition(Value conditions, std::string_view type) {
    for (const Value condition : conditions.items())
        if (condition["type"].as_string() == type) return condition;
    return {};
}

bool is_condition_true(Value conditions, std::string_view type) {
    return find_condition(conditions, type)["status"].as_string() == "True";
}

bool set_condition(Value conditions, const ConditionState& wanted, base::WallTime now, Arena& arena) {
    Value condition = find_condition(conditions, wanted.type);
    const bool is_new = !condition.is_set();
    const bool is_same_state = !is_new && condition["status"].as_string() == wanted.status;
    if (is_new) {
        condition = Value::map(arena);
        condition.set(arena, "type", Value::string(arena, wanted.type));
        conditions.push_back(arena, condition);
    } else if (is_same_state && condition["reason"].as_string() == wanted.reason &&
               condition["message"].as_string() == wanted.message) {
        return false;
    }
    if (!is_same_state)
        condition.set(arena, "lastTransitionTime", Value::string(arena, format_time(instant_of(now))));
    condition.set(arena, "status", Value::string(arena, wanted.status));
    condition.set(arena, "reason", Value::string(arena, wanted.reason));
    condition.set(arena, "message", Value::string(arena, wanted.message));
    return true;
}

bool remove_condition(Value conditions, std::string_view type) {
    const auto items = conditions.items();
    for (std::size_t index = 0; index < items.size(); ++index) {
        if (items[index]["type"].as_string() != type) continue;
        conditions.remove_at(index);
        return true;
    }
    return false;
}

bool is_same_status(Value one, Value other) {
    return has_all_of(one, other) && has_all_of(other, one);
}

}  // namespace keelson::object
