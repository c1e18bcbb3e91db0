// Autoscalers, disruption budgets and priority classes.
#include <cctype>
#include <nlohmann/json.hpp>

#include "cli/describe/parts.h"
#include "cli/kube/object.h"

namespace keelson::cli::describing {
namespace {

// "Value", "AverageValue" or the utilization of a target or of what is now.
std::string amount_of(const Json& value, bool is_average) {
    const std::string amount = text(value, {is_average ? "averageValue" : "value"});
    return amount.empty() ? std::string(kUnknown) : amount;
}

std::string resource_amounts(const Json& target, const Json& current) {
    if (!at(target, {"averageValue"}).is_null())
        return ":\t" + amount_of(current, true) + " / " + text(target, {"averageValue"});
    std::string now(kUnknown);
    if (const Json& used = at(current, {"averageUtilization"}); !used.is_null())
        now = text(used) + "% (" + text(current, {"averageValue"}) + ")";
    const Json& wanted = at(target, {"averageUtilization"});
    return "  (as a percentage of request):\t" + now + " / " +
           (wanted.is_null() ? "<auto>" : text(wanted) + "%");
}

std::string pair_of(const Json& target, const Json& current) {
    const bool is_average = !at(target, {"averageValue"}).is_null();
    return amount_of(current, is_average) + " / " + amount_of(target, is_average);
}

void write_metric(Description& out, const Json& metric, const Json& status) {
    const std::string type = text(metric, {"type"});
    std::string key = type;
    if (!key.empty()) key[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(key[0])));
    const Json& source = at(metric, {key});
    const Json& target = at(source, {"target"});
    const Json& current = at(status, {key, "current"});
    const std::string name = "\"" + text(source, {"metric", "name"}) + "\"";
    const bool is_average = !at(target, {"averageValue"}).is_null();
    if (type == "Resource") {
        out.line(1, "resource " + text(source, {"name"}) + " on pods" + resource_amounts(target, current));
    } else if (type == "ContainerResource") {
        out.line(1, "resource " + text(source, {"name"}) + " of container \"" + text(source, {"container"}) +
                        "\" on pods" + resource_amounts(target, current));
    } else if (type == "Pods") {
        out.line(1, name + " on pods:\t" + pair_of(target, current));
    } else if (type == "Object") {
        out.line(1, name + " on " + text(source, {"describedObject", "kind"}) + "/" +
                        text(source, {"describedObject", "name"}) +
                        (is_average ? " (target average value):\t" : " (target value):\t") +
                        pair_of(target, current));
    } else if (type == "External") {
        out.line(1, name + (is_average ? " (target average value):\t" : " (target value):\t") +
                        pair_of(target, current));
    } else {
        out.line(1, "<unknown metric type \"" + type + "\">");
    }
}

void write_direction(Description& out, const char* title, const Json& rules) {
    if (!rules.is_object()) return;
    out.line(1, std::string(title) + ":");
    if (const Json& window = at(rules, {"stabilizationWindowSeconds"}); !window.is_null())
        out.line(2, "Stabilization Window: " + text(window) + " seconds");
    const Json& policies = at(rules, {"policies"});
    if (!policies.is_array() || policies.empty()) return;
    const std::string select = text(rules, {"selectPolicy"});
    out.line(2, "Select Policy: " + (select.empty() ? "Max" : select));
    out.line(2, "Policies:");
    for (const Json& policy : policies)
        out.line(3, "- Type: " + text(policy, {"type"}) + "\tValue: " + text(policy, {"value"}) +
                        "\tPeriod: " + text(policy, {"periodSeconds"}) + " seconds");
}

void write_autoscaler_conditions(Description& out, const Json& conditions) {
    if (!conditions.is_array() || conditions.empty()) return;
    out.line(0, "Conditions:");
    out.row(1, {"Type", "Status", "Reason", "Message"});
    out.row(1, {"----", "------", "------", "-------"});
    for (const Json& condition : conditions)
        out.row(1, {text(condition, {"type"}), text(condition, {"status"}), text(condition, {"reason"}),
                    text(condition, {"message"})});
}

}  // namespace

void describe_autoscaler(const Context& context) {
    const Json& scaler = context.object;
    Description& out = context.out;
    const Json& spec = at(scaler, {"spec"});
    const Json& reference = at(spec, {"scaleTargetRef"});
    write_name(out, scaler);
    write_metadata(out, scaler);
    out.field(0, "CreationTimestamp", long_time(at(scaler, {"metadata", "creationTimestamp"})));
    out.field(0, "Reference", text(reference, {"kind"}) + "/" + text(reference, {"name"}));
    out.field(0, "Metrics", "( current / target )");
    const Json& statuses = at(scaler, {"status", "currentMetrics"});
    static const Json kNothing;
    std::size_t index = 0;
    for (const Json& metric : at(spec, {"metrics"})) {
        const bool is_known = statuses.is_array() && index < statuses.size();
        write_metric(out, metric, is_known ? statuses[index] : kNothing);
        ++index;
    }
    out.field(0, "Min replicas", or_unset(at(spec, {"minReplicas"})));
    out.field(0, "Max replicas", std::to_string(number(at(spec, {"maxReplicas"}))));
    if (const Json& behavior = at(spec, {"behavior"}); behavior.is_object()) {
        out.line(0, "Behavior:");
        write_direction(out, "Scale Up", at(behavior, {"scaleUp"}));
        write_direction(out, "Scale Down", at(behavior, {"scaleDown"}));
    }
    out.field(0, text(reference, {"kind"}) + " pods",
              std::to_string(number(at(scaler, {"status", "currentReplicas"}))) + " current / " +
                  std::to_string(number(at(scaler, {"status", "desiredReplicas"}))) + " desired");
    write_autoscaler_conditions(out, at(scaler, {"status", "conditions"}));
    write_events(context);
}

void describe_disruption_budget(const Context& context) {
    const Json& budget = context.object;
    Description& out = context.out;
    write_name(out, budget);
    const Json& least = at(budget, {"spec", "minAvailable"});
    const Json& most = at(budget, {"spec", "maxUnavailable"});
    if (!least.is_null())
        out.field(0, "Min available", text(least));
    else if (!most.is_null())
        out.field(0, "Max unavailable", text(most));
    const Json& selector = at(budget, {"spec", "selector"});
    out.field(0, "Selector", selector.is_null() ? std::string(kUnset) : format_selector(selector));
    out.line(0, "Status:");
    constexpr std::pair<const char*, const char*> kFields[] = {{"Allowed disruptions", "disruptionsAllowed"},
                                                               {"Current", "currentHealthy"},
                                                               {"Desired", "desiredHealthy"},
                                                               {"Total", "expectedPods"}};
    for (const auto& [title, name] : kFields)
        out.field(2, title, std::to_string(number(at(budget, {"status", name}))));
    write_events(context);
}

void describe_priority_class(const Context& context) {
    const Json& type = context.object;
    Description& out = context.out;
    out.field(0, "Name", kube::name_of(type));
    out.field(0, "Value", std::to_string(number(at(type, {"value"}))));
    out.field(0, "GlobalDefault", is_true(at(type, {"globalDefault"})) ? "true" : "false");
    out.field(0, "PreemptionPolicy", text(type, {"preemptionPolicy"}));
    out.field(0, "Description", text(type, {"description"}));
    out.field(0, "Annotations", format_labels(at(type, {"metadata", "annotations"})));
    write_events(context);
}

}  // namespace keelson::cli::describing
