// Texts about a document that do not keep it from being read: unknown and duplicate fields. As in Kubernetes
// each is kept once and at most a hundred are, so that a small request cannot make a large answer.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

namespace keelson::object {

inline bool wants_more_problems(const std::vector<std::string>* problems) {
    constexpr std::size_t kProblemLimit = 100;
    return problems != nullptr && problems->size() < kProblemLimit;
}

// Only after wants_more_problems().
inline void add_problem(std::vector<std::string>& problems, std::string text) {
    if (std::ranges::find(problems, text) == problems.end()) problems.push_back(std::move(text));
}

}  // namespace keelson::object
