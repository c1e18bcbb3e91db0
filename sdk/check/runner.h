// Runs cases, each in a child process.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "board.h"
#include "cases.h"
#include "options.h"

namespace keelson::check {

struct CaseResult {
    const Case* of;
    Outcome outcome;
    std::string reason;
    // What the case's process wrote to standard output and error, cut.
    std::string output;
    std::chrono::milliseconds duration{0};
};

// The cases that --only names; all when it names none.
[[nodiscard]] std::vector<const Case*> selected_cases(const Options& options);

// Runs them in their order and reports each as soon as it is done.
[[nodiscard]] std::vector<CaseResult> run_cases(const Options& options, const std::vector<const Case*>& cases,
                                                const std::function<void(const CaseResult&)>& done);

}  // namespace keelson::check
