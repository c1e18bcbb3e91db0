// Label and field selectors as they come in query strings.
// Grammar: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/result.h"
#include "kernel/object/value.h"

namespace keelson::object {

struct LabelRequirement {
    // `equals` and `not_equals` mean what `in` and `not_in` with one value mean; they differ as text.
    enum class Operator : std::uint8_t {
        equals,
        not_equals,
        in,
        not_in,
        exists,
        does_not_exist,
        greater_than,
        less_than
    };
    std::string key;
    Operator op = Operator::exists;
    std::vector<std::string> values;  // sorted
};

class LabelSelector {
  public:
    // "a=b,c in (d,e),!f"; the empty text selects everything. Errors are worded as Kubernetes words them.
    [[nodiscard]] static base::Result<LabelSelector> parse(std::string_view text);
    // From a LabelSelector object {matchLabels, matchExpressions}; an unset one selects nothing, an empty one
    // all.
    [[nodiscard]] static base::Result<LabelSelector> from_object(Value selector);
    // From a plain map of labels.
    [[nodiscard]] static LabelSelector from_labels(Value labels);

    [[nodiscard]] bool empty() const { return requirements_.empty() && !nothing_; }
    // labels: a map of strings, or unset.
    [[nodiscard]] bool matches(Value labels) const;
    // "a=b,c in (d,e)", sorted by key.
    [[nodiscard]] std::string to_string() const;
    [[nodiscard]] const std::vector<LabelRequirement>& requirements() const { return requirements_; }

  private:
    std::vector<LabelRequirement> requirements_;
    bool nothing_ = false;
};

struct FieldRequirement {
    std::string path;  // "spec.nodeName"
    std::string value;
    bool negated = false;
};

class FieldSelector {
  public:
    // "metadata.name=a,status.phase!=Running", also "==". The empty text selects everything.
    [[nodiscard]] static base::Result<FieldSelector> parse(std::string_view text);
    [[nodiscard]] bool empty() const { return requirements_.empty(); }
    // `field_value` gives the text of a path.
    [[nodiscard]] bool matches(const std::function<std::string(std::string_view path)>& field_value) const;
    // The value that a path must have; null when there is no such requirement.
    [[nodiscard]] const std::string* required(std::string_view path) const;
    [[nodiscard]] const std::vector<FieldRequirement>& requirements() const { return requirements_; }

  private:
    std::vector<FieldRequirement> requirements_;
};

}  // namespace keelson::object
