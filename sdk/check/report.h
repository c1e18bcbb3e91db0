// How results are shown.
#pragma once

#include <vector>

#include "options.h"
#include "runner.h"

namespace keelson::check {

// A table, line by line as cases finish. Colours on a terminal, unless NO_COLOR is set.
void print_heading(const Options& options);
void print_result(const CaseResult& result);
void print_summary(const std::vector<CaseResult>& results, const Options& options);
// Everything as one JSON document.
void print_json(const std::vector<CaseResult>& results, const Options& options);

// --list
void print_cases(const std::vector<const Case*>& cases, bool is_json);

}  // namespace keelson::check
