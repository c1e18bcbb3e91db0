// What the rules and subjects of roles and bindings allow, compared.
#pragma once

#include <string>
#include <vector>

#include "cli/kube/object.h"

namespace keelson::cli::kube {

// A rule of a role. Rules compare by what they say.
struct AccessRule {
    std::vector<std::string> verbs, groups, resources, names, urls;
    bool operator==(const AccessRule&) const = default;

    static AccessRule of(const Object& rule);
    [[nodiscard]] Object object() const;
    // "{Verbs:[get] APIGroups:[] Resources:[pods] ResourceNames:[] NonResourceURLs:[]}"
    [[nodiscard]] std::string text() const;
};

// The parts of `rules`, one verb of one resource or URL each, that `owned` does not allow.
std::vector<AccessRule> rules_beyond(const Object& rules, const Object& owned);

// Those of `subjects` that are not among `others`.
std::vector<Object> subjects_beyond(const Object& subjects, const Object& others);
std::string subject_text(const Object& subject);

}  // namespace keelson::cli::kube
