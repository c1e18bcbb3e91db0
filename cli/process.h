// Programs that keelctl starts: editors, diff, credential plugins. No shell is between.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "cli/result.h"

namespace keelson::cli {

struct Program {
    std::vector<std::string> words;                  // the first is looked for in PATH
    std::map<std::string, std::string> environment;  // added to this process's
    bool is_captured = false;  // its output comes back instead of going where keelctl's goes
};

struct Ended {
    int code = 0;  // 128 and more: by a signal
    std::string output;
};

// Standard input and error are keelctl's. Fails when it cannot be started.
Result<Ended> run_program(const Program& program);

}  // namespace keelson::cli
