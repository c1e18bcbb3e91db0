// Labels and the selectors over them, in the form in which they are matched often.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/object/accessors/core_v1.h"
#include "kernel/object/accessors/meta_v1.h"

namespace keelson::scheduling {

struct Label {
    std::string key;
    std::string value;
    auto operator<=>(const Label&) const = default;
};

// Sorted by key.
class Labels {
  public:
    Labels() = default;
    explicit Labels(object::MapView<std::string_view> labels);
    // Null when there is no such label.
    [[nodiscard]] const std::string* find(std::string_view key) const {
        for (const Label& label : labels_)
            if (label.key == key) return &label.value;
        return nullptr;
    }
    [[nodiscard]] const std::vector<Label>& all() const { return labels_; }
    [[nodiscard]] bool empty() const { return labels_.empty(); }
    bool operator==(const Labels&) const = default;

  private:
    std::vector<Label> labels_;
};

struct Requirement {
    enum class Operator : std::uint8_t { in, not_in, exists, does_not_exist, greater_than, less_than };
    std::string key;
    Operator op = Operator::exists;
    std::vector<std::string> values;
    std::int64_t bound = 0;     // of greater_than and less_than
    bool is_malformed = false;  // an unknown operator, a bound that is no number: matches nothing

    // value: null when the label is not there.
    [[nodiscard]] bool matches(const std::string* value) const;
    bool operator==(const Requirement&) const = default;
};

[[nodiscard]] Requirement make_requirement(std::string_view key, std::string_view op,
                                           object::ListView<std::string_view> values);

// All requirements must hold.
class Selector {
  public:
    // An unset selector selects nothing, an empty one everything.
    [[nodiscard]] static Selector from(const api_types::meta_v1::LabelSelector& selector);
    [[nodiscard]] static Selector from_labels(object::MapView<std::string_view> labels);
    [[nodiscard]] static Selector everything() { return {}; }

    void require(std::string_view key, Requirement::Operator op, std::string_view value);
    void require_all_of(const Selector& other);
    [[nodiscard]] bool matches(const Labels& labels) const;
    // Selects everything.
    [[nodiscard]] bool empty() const { return requirements_.empty() && !selects_nothing_; }
    bool operator==(const Selector&) const = default;

  private:
    std::vector<Requirement> requirements_;
    bool selects_nothing_ = false;
};

// One term of a node selector: labels and the node's name; a term without any requirement matches no node.
struct NodeTerm {
    std::vector<Requirement> expressions;
    std::vector<Requirement> fields;

    [[nodiscard]] bool matches(const Labels& labels, const std::string& node_name) const;
    bool operator==(const NodeTerm&) const = default;
};
[[nodiscard]] NodeTerm make_node_term(const api_types::core_v1::NodeSelectorTerm& term);

// Any of the terms; without terms no node.
struct NodeTerms {
    std::vector<NodeTerm> terms;

    [[nodiscard]] bool matches(const Labels& labels, const std::string& node_name) const;
    bool operator==(const NodeTerms&) const = default;
};
[[nodiscard]] NodeTerms make_node_terms(const api_types::core_v1::NodeSelector& selector);

}  // namespace keelson::scheduling
