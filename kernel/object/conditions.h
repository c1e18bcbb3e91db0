// Statuses and the conditions in them: one condition a type, with the time of its last change.
#pragma once

#include <string_view>

#include "kernel/base/clock.h"
#include "kernel/object/value.h"

namespace keelson::object {

struct ConditionState {
    std::string_view type;
    std::string_view status = "True";
    std::string_view reason;
    std::string_view message;
};

// The condition of that type in a list of conditions (of any object); unset when there is none.
[[nodiscard]] Value find_condition(Value conditions, std::string_view type);
[[nodiscard]] bool is_condition_true(Value conditions, std::string_view type);

// Puts the condition there. Its lastTransitionTime changes with its status only. One that says the same
// already (status, reason and message) stays as it is. False when nothing was changed.
bool set_condition(Value conditions, const ConditionState& wanted, base::WallTime now, Arena& arena);
// False when there was none.
bool remove_condition(Value conditions, std::string_view type);

// Whether two statuses say the same. The server leaves out zeros and empty lists, so what is not there is
// one.
[[nodiscard]] bool is_same_status(Value one, Value other);

}  // namespace keelson::object
