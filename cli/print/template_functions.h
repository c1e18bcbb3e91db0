// The functions that Go's text/template has, and those that kubectl adds.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cli/print/go_text.h"
#include "cli/result.h"

namespace keelson::cli::printing {

// Null: there is no such value ("<no value>"). Integers are Go's int, reals its float64.
using TemplateValue = std::shared_ptr<const Json>;
using TemplateValues = std::vector<TemplateValue>;

TemplateValue make_value(Json value);
// Neither missing, nor null, false, zero or empty.
bool is_true(const TemplateValue& value);

// All but `and` and `or`, which evaluate only what they need. The error is Go's.
Result<TemplateValue> call_template_function(std::string_view name, const TemplateValues& arguments);

// printf
std::string go_format(std::string_view format, const TemplateValues& arguments);

}  // namespace keelson::cli::printing
