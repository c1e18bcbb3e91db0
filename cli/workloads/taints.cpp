#include "cli/workloads/taints.h"

#include <nlohmann/json.hpp>

#include "kernel/object/names.h"

namespace keelson::cli::kube {
namespace {

bool is_effect(const std::string& text) {
    return text == "NoSchedule" || text == "PreferNoSchedule" || text == "NoExecute";
}

Result<Taint> parse_taint(const std::string& word, bool needs_effect) {
    Taint taint;
    const std::size_t colon = word.find(':');
    std::string key = word.substr(0, colon);
    if (colon != std::string::npos) {
        taint.effect = word.substr(colon + 1);
        if (!is_effect(taint.effect))
            return fail("invalid taint effect: " + taint.effect + ", unsupported taint effect");
    } else if (needs_effect) {
        return fail("invalid taint spec: " + word);
    }
    const std::size_t equals = key.find('=');
    if (equals != std::string::npos) {
        taint.value = key.substr(equals + 1);
        key.resize(equals);
        if (const auto problems = object::is_label_value(taint.value); !problems.empty())
            return fail("invalid taint spec: " + word + ", " + object::join_messages(problems, "; "));
    }
    if (const auto problems = object::is_qualified_name(key); !problems.empty())
        return fail("invalid taint spec: " + word + ", " + object::join_messages(problems, "; "));
    taint.key = key;
    return taint;
}

bool is_same(const Object& there, const Taint& taint) {
    return text_at(there, "key") == taint.key &&
           (taint.effect.empty() || text_at(there, "effect") == taint.effect);
}

}  // namespace

Result<TaintChanges> parse_taints(const std::vector<std::string>& words) {
    TaintChanges changes;
    for (std::string word : words) {
        const bool is_removed = word.ends_with('-');
        if (is_removed) word.pop_back();
        const auto taint = parse_taint(word, !is_removed);
        if (!taint) return pass_on(taint);
        (is_removed ? changes.removed : changes.added).push_back(*taint);
    }
    return changes;
}

Result<Object> changed_taints(const Object& node, const TaintChanges& changes, bool overwrites) {
    Object taints = member(node, {"spec", "taints"});
    if (!taints.is_array()) taints = Object::array();
    for (const Taint& taint : changes.added) {
        Object added{{"key", taint.key}, {"effect", taint.effect}};
        if (!taint.value.empty()) added["value"] = taint.value;
        bool is_there = false;
        for (Object& there : taints) {
            if (!is_same(there, taint)) continue;
            if (!overwrites)
                return fail("node " + name_of(node) + " already has " + taint.key +
                            " taint(s) with same effect(s) and --overwrite is false");
            there = added;
            is_there = true;
        }
        if (!is_there) taints.push_back(added);
    }
    for (const Taint& taint : changes.removed) {
        Object kept = Object::array();
        for (const Object& there : taints)
            if (!is_same(there, taint)) kept.push_back(there);
        if (kept.size() == taints.size())
            return fail("taint \"" + taint.key + (taint.effect.empty() ? "" : ":" + taint.effect) +
                        "\" not found");
        taints = std::move(kept);
    }
    return taints;
}

}  // namespace keelson::cli::kube
