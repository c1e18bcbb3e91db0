// Texts about a document that do not keep it from being read: unknown and duplicate fields. As in Kubernetes
// each is kept once and at most a hundred are; their text is bounded too, so that a request cannot make an
// answer that is many times larger, nor long names that differ at their ends take long to be compared.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

namespace keelson::object {

inline bool wants_more_problems(const std::vector<std::string>* problems) {
    constexpr std::size_t kProblemLimit = 100;
    constexpr std::size_t kTextLimitBytes = 64 << 10;
    if (problems == nullptr || problems->size() >= kProblemLimit) return false;
    std::size_t bytes = 0;
    for (const std::string& problem : *problems) bytes += problem.size();
    return bytes < kTextLimitBytes;
}

// Only after wants_more_problems().
inline void add_problem(std::vector<std::string>& problems, std::string text) {
    if (std::ranges::find(problems, text) == problems.end()) problems.push_back(std::move(text));
}

}  // namespace keelson::object
