#include "kernel/object/table.h"

#include <algorithm>
#include <map>
#include <mutex>

#include "kernel/object/json.h"
#include "kernel/object/selector.h"
#include "kernel/object/table_cells.h"
#include "kernel/object/time_format.h"

namespace keelson::object {
namespace tables {

std::string plain_text(Value value) {
    if (value.is_string()) return value.to_string();
    return value.is_unset() ? std::string() : to_json(value);
}

Value Cell::at(std::string_view path) const {
    Value current = object;
    while (true) {
        std::size_t dot = path.find('.');
        current = current[path.substr(0, dot)];
        if (dot == std::string_view::npos) return current;
        path.remove_prefix(dot + 1);
    }
}

Value Cell::text_at(std::string_view path, std::string_view missing) const {
    std::string found = plain_text(at(path));
    return text(found.empty() ? missing : std::string_view(found));
}

std::string Cell::age(Value time) const {
    auto instant = time.is_string() ? parse_time(time.as_string()) : base::Result<Instant>(Instant{});
    if (time.is_unset() || !instant) return "<unknown>";
    return human_duration(now_seconds - instant->seconds);
}

std::string join(const std::vector<std::string>& items, std::string_view separator) {
    std::string out;
    for (const std::string& item : items) {
        if (!out.empty() || &item != &items.front()) out += separator;
        out += item;
    }
    return out;
}

std::string labels_text(Value labels) {
    std::vector<std::string> items;
    for (const Member& label : labels.members())
        items.push_back(std::string(label.name) + "=" + label.value.to_string());
    std::ranges::sort(items);
    return items.empty() ? "<none>" : join(items);
}

std::string selector_text(Value selector) {
    auto parsed = LabelSelector::from_object(selector);
    if (!parsed) return "<invalid>";
    std::string text = parsed->to_string();
    return text.empty() ? "<none>" : text;
}

std::vector<std::string> each_text(Value list, std::string_view name) {
    std::vector<std::string> items;
    for (Value item : list.items()) items.push_back(plain_text(name.empty() ? item : item[name]));
    return items;
}

std::string first_three(const std::vector<std::string>& items, std::string_view empty) {
    constexpr std::size_t kShown = 3;
    if (items.empty()) return std::string(empty);
    std::vector<std::string> shown(
        items.begin(), items.begin() + static_cast<std::ptrdiff_t>(std::min(kShown, items.size())));
    std::string text = join(shown);
    if (items.size() > kShown) text += " + " + std::to_string(items.size() - kShown) + " more...";
    return text;
}

Value condition_of(Value status, std::string_view type) {
    for (Value condition : status["conditions"].items())
        if (condition["type"].as_string() == type) return condition;
    return Value();
}

Value name_cell(const Cell& cell) {
    return cell.at("metadata.name").is_string() ? cell.at("metadata.name") : Value::reference("");
}

Value age_cell(const Cell& cell) {
    return cell.age_at("metadata.creationTimestamp");
}

namespace {

constexpr ColumnRule kDefaultRules[] = {kNameColumn, {{"Created At", "date", "", 0}, [](const Cell& cell) {
                                                          return cell.text_at("metadata.creationTimestamp");
                                                      }}};

std::span<const ColumnRule> rules_of(const Type& type) {
    for (auto family : {workload_rules, cluster_rules, storage_rules, policy_rules})
        if (auto rules = family(type.id); !rules.empty()) return rules;
    return kDefaultRules;
}

}  // namespace
}  // namespace tables

std::span<const Column> table_columns(const Type& type) {
    // Made once per kind; kinds are few.
    static std::mutex mutex;
    static std::map<const Type*, std::vector<Column>> known;
    const std::lock_guard lock(mutex);
    std::vector<Column>& columns = known[&type];
    if (columns.empty())
        for (const tables::ColumnRule& rule : tables::rules_of(type)) columns.push_back(rule.column);
    return columns;
}

Value table_cells(const Type& type, Value object, std::int64_t now_seconds, Arena& arena) {
    tables::Cell cell{object, now_seconds, arena};
    auto rules = tables::rules_of(type);
    Value cells = Value::list(arena, rules.size());
    for (const tables::ColumnRule& rule : rules) cells.push_back(arena, rule.cell(cell));
    return cells;
}

Value table_row_conditions(const Type& type, Value object, Arena& arena) {
    if (type.id != "core/v1.Pod") return Value();
    std::string_view phase = object["status"]["phase"].as_string();
    if (phase != "Succeeded" && phase != "Failed") return Value();
    Value condition = Value::map(arena);
    condition.set(arena, "type", Value::reference("Completed"));
    condition.set(arena, "status", Value::reference("True"));
    condition.set(arena, "reason", Value::string(arena, phase));
    condition.set(
        arena, "message",
        Value::reference(phase == "Succeeded" ? "The pod has completed successfully." : "The pod failed."));
    Value list = Value::list(arena);
    list.push_back(arena, condition);
    return list;
}

}  // namespace keelson::object
