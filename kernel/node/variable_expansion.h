// References to variables in text: $(NAME) is the variable's value, $$ a dollar sign; what names no variable
// stays as it is
// (https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace keelson::node {

// The value of a variable, none when there is no such.
using VariableLookup = std::function<std::optional<std::string>(std::string_view name)>;

[[nodiscard]] std::string expand_variables(std::string_view text, const VariableLookup& look_up);

}  // namespace keelson::node
