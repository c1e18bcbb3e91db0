#include "kernel/scheduling/labels.h"

#include <algorithm>
#include <charconv>

namespace keelson::scheduling {
namespace {

bool parse_number(std::string_view text, std::int64_t& number) {
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    return error == std::errc() && stop == end && !text.empty();
}

bool holds(const Requirement& requirement, const Labels& labels) {
    return requirement.matches(labels.find(requirement.key));
}

}  // namespace

Labels::Labels(object::MapView<std::string_view> labels) {
    labels_.reserve(labels.size());
    for (const auto& [key, value] : labels) labels_.push_back({std::string(key), std::string(value)});
    std::sort(labels_.begin(), labels_.end());
}

bool Requirement::matches(const std::string* value) const {
    if (is_malformed) return false;
    switch (op) {
        case Operator::in:
            return value && std::find(values.begin(), values.end(), *value) != values.end();
        case Operator::not_in:
            return !value || std::find(values.begin(), values.end(), *value) == values.end();
        case Operator::exists:
            return value != nullptr;
        case Operator::does_not_exist:
            return value == nullptr;
        case Operator::greater_than:
        case Operator::less_than: {
            std::int64_t number = 0;
            if (!value || !parse_number(*value, number)) return false;
            return op == Operator::greater_than ? number > bound : number < bound;
        }
    }
    return false;
}

Requirement make_requirement(std::string_view key, std::string_view op,
                             object::ListView<std::string_view> values) {
    using Operator = Requirement::Operator;
    Requirement made;
    made.key = key;
    for (std::string_view value : values) made.values.emplace_back(value);
    if (op == "In") {
        made.op = Operator::in;
    } else if (op == "NotIn") {
        made.op = Operator::not_in;
    } else if (op == "Exists") {
        made.op = Operator::exists;
    } else if (op == "DoesNotExist") {
        made.op = Operator::does_not_exist;
    } else if (op == "Gt" || op == "Lt") {
        made.op = op == "Gt" ? Operator::greater_than : Operator::less_than;
        made.is_malformed = made.values.size() != 1 || !parse_number(made.values[0], made.bound);
    } else {
        made.is_malformed = true;
    }
    return made;
}

Selector Selector::from(const api_types::meta_v1::LabelSelector& selector) {
    Selector made;
    made.selects_nothing_ = !selector.is_set();
    made.require_all_of(from_labels(selector.match_labels()));
    for (api_types::meta_v1::LabelSelectorRequirement one : selector.match_expressions())
        made.requirements_.push_back(make_requirement(one.key(), one.operator_(), one.values()));
    return made;
}

Selector Selector::from_labels(object::MapView<std::string_view> labels) {
    Selector made;
    for (const auto& [key, value] : labels) made.require(key, Requirement::Operator::in, value);
    return made;
}

void Selector::require(std::string_view key, Requirement::Operator op, std::string_view value) {
    Requirement requirement;
    requirement.key = key;
    requirement.op = op;
    requirement.values.emplace_back(value);
    if (std::find(requirements_.begin(), requirements_.end(), requirement) == requirements_.end())
        requirements_.push_back(std::move(requirement));
}

void Selector::require_all_of(const Selector& other) {
    requirements_.insert(requirements_.end(), other.requirements_.begin(), other.requirements_.end());
    selects_nothing_ = selects_nothing_ || other.selects_nothing_;
}

bool Selector::matches(const Labels& labels) const {
    if (selects_nothing_) return false;
    for (const Requirement& requirement : requirements_)
        if (!holds(requirement, labels)) return false;
    return true;
}

bool NodeTerm::matches(const Labels& labels, const std::string& node_name) const {
    if (expressions.empty() && fields.empty()) return false;
    for (const Requirement& requirement : expressions)
        if (!holds(requirement, labels)) return false;
    for (const Requirement& requirement : fields)
        if (requirement.key != "metadata.name" || !requirement.matches(&node_name)) return false;
    return true;
}

NodeTerm make_node_term(const api_types::core_v1::NodeSelectorTerm& term) {
    NodeTerm made;
    for (api_types::core_v1::NodeSelectorRequirement one : term.match_expressions())
        made.expressions.push_back(make_requirement(one.key(), one.operator_(), one.values()));
    for (api_types::core_v1::NodeSelectorRequirement one : term.match_fields())
        made.fields.push_back(make_requirement(one.key(), one.operator_(), one.values()));
    return made;
}

bool NodeTerms::matches(const Labels& labels, const std::string& node_name) const {
    for (const NodeTerm& term : terms)
        if (term.matches(labels, node_name)) return true;
    return false;
}

NodeTerms make_node_terms(const api_types::core_v1::NodeSelector& selector) {
    NodeTerms made;
    for (api_types::core_v1::NodeSelectorTerm term : selector.node_selector_terms())
        made.terms.push_back(make_node_term(term));
    return made;
}

}  // namespace keelson::scheduling
