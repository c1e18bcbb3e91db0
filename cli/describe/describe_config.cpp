// Config maps, secrets, namespaces, quotas and limit ranges.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "cli/describe/parts.h"
#include "cli/kube/object.h"
#include "kernel/base/base64.h"

namespace keelson::cli::describing {
namespace {

std::size_t decoded_size(const Json& value) {
    const auto bytes = base::base64_decode(text(value));
    return bytes ? bytes->size() : 0;
}

std::vector<Json> by_name(const Json& list) {
    std::vector<Json> items;
    for (const Json& item : at(list, {"items"})) items.push_back(item);
    std::sort(items.begin(), items.end(),
              [](const Json& left, const Json& right) { return kube::name_of(left) < kube::name_of(right); });
    return items;
}

std::vector<std::string> sorted_texts(const Json& list) {
    std::vector<std::string> texts;
    for (const Json& item : list) texts.push_back(text(item));
    std::sort(texts.begin(), texts.end());
    return texts;
}

std::string help_of_scope(const std::string& scope) {
    if (scope == "Terminating")
        return "Matches all pods that have an active deadline. These pods have a limited lifespan on a node "
               "before being actively terminated by the system.";
    if (scope == "NotTerminating")
        return "Matches all pods that do not have an active deadline. These pods usually include long "
               "running pods whose container command is not expected to terminate.";
    if (scope == "BestEffort")
        return "Matches all pods that do not have resource requirements set. These pods have a best effort "
               "quality of service.";
    if (scope == "NotBestEffort")
        return "Matches all pods that have at least one resource requirement set. These pods have a "
               "burstable or guaranteed quality of service.";
    return {};
}

void write_scopes(Description& out, int level, const Json& quota) {
    const auto scopes = sorted_texts(at(quota, {"spec", "scopes"}));
    if (scopes.empty()) return;
    out.field(level, "Scopes", joined(scopes, ", "));
    for (const std::string& scope : scopes)
        if (const std::string help = help_of_scope(scope); !help.empty())
            out.line(level, (level == 0 ? " * " : "* ") + help);
}

void write_namespace_conditions(Description& out, const Json& conditions) {
    if (!conditions.is_array() || conditions.empty()) return;
    out.line(0, "Conditions:");
    out.row(1, {"Type", "Status", "LastTransitionTime", "Reason", "Message"});
    out.row(1, {"----", "------", "------------------", "------", "-------"});
    for (const Json& condition : conditions)
        out.row(1, {text(condition, {"type"}), text(condition, {"status"}),
                    long_time(at(condition, {"lastTransitionTime"})), text(condition, {"reason"}),
                    text(condition, {"message"})});
}

void write_quotas(Description& out, const Json& list) {
    const auto quotas = by_name(list);
    if (quotas.empty()) return out.line(0, "No resource quota.");
    out.line(0, "Resource Quotas");
    for (const Json& quota : quotas) {
        out.field(1, "Name", kube::name_of(quota));
        write_scopes(out, 1, quota);
        out.row(1, {"Resource", "Used", "Hard"});
        out.row(1, {"--------", "---", "---"});
        write_quota_rows(out, 1, quota);
    }
}

void write_limits(Description& out, const Json& list) {
    const auto ranges = by_name(list);
    if (ranges.empty()) return out.line(0, "No LimitRange resource.");
    out.line(0, "Resource Limits");
    out.line(0, " Type\tResource\tMin\tMax\tDefault Request\tDefault Limit\tMax Limit/Request Ratio");
    out.line(0, " ----\t--------\t---\t---\t---------------\t-------------\t-----------------------");
    for (const Json& range : ranges) write_limit_rows(out, " ", range);
}

}  // namespace

void write_quota_rows(Description& out, int level, const Json& quota) {
    const Json& hard = at(quota, {"status", "hard"});
    if (!hard.is_object()) return;
    for (const auto& [resource, amount] : hard.items()) {
        const std::string used = text(at(quota, {"status", "used"}), {resource});
        out.row(level, {resource, used.empty() ? "0" : used, text(amount)});
    }
}

void write_limit_rows(Description& out, std::string_view indent, const Json& limit_range) {
    constexpr const char* kColumns[] = {"min", "max", "defaultRequest", "default", "maxLimitRequestRatio"};
    for (const Json& limit : at(limit_range, {"spec", "limits"})) {
        std::set<std::string> resources;
        for (const char* column : kColumns)
            if (const Json& amounts = at(limit, {column}); amounts.is_object())
                for (const auto& [resource, amount] : amounts.items()) resources.insert(resource);
        for (const std::string& resource : resources) {
            std::string line = std::string(indent) + text(limit, {"type"}) + "\t" + resource;
            for (const char* column : kColumns) {
                const std::string amount = text(at(limit, {column}), {resource});
                line += "\t" + (amount.empty() ? "-" : amount);
            }
            out.line(0, line);
        }
    }
}

void describe_config_map(const Context& context) {
    Description& out = context.out;
    write_name(out, context.object);
    write_metadata(out, context.object);
    out.raw("\nData\n====\n");
    const Json& data = at(context.object, {"data"});
    if (data.is_object())
        for (const auto& [key, value] : data.items()) out.raw(key + ":\n----\n" + text(value) + "\n\n");
    out.raw("\nBinaryData\n====\n");
    const Json& binary = at(context.object, {"binaryData"});
    if (binary.is_object())
        for (const auto& [key, value] : binary.items())
            out.raw(key + ": " + std::to_string(decoded_size(value)) + " bytes\n");
    out.raw("\n");
    write_events(context);
}

void describe_secret(const Context& context) {
    Description& out = context.out;
    const std::string type = text(context.object, {"type"});
    write_name(out, context.object);
    write_metadata(out, context.object);
    out.raw("\nType:\t" + type + "\n\nData\n====\n");
    const Json& data = at(context.object, {"data"});
    if (!data.is_object()) return;
    for (const auto& [key, value] : data.items()) {
        const auto bytes = base::base64_decode(text(value));
        const bool is_shown = type == "kubernetes.io/service-account-token" && key == "token" && bytes;
        out.field(0, key, is_shown ? *bytes : std::to_string(decoded_size(value)) + " bytes");
    }
}

void describe_namespace(const Context& context) {
    Description& out = context.out;
    const std::string name = kube::name_of(context.object);
    out.field(0, "Name", name);
    write_metadata(out, context.object);
    out.field(0, "Status", text(context.object, {"status", "phase"}));
    write_namespace_conditions(out, at(context.object, {"status", "conditions"}));
    if (const auto quotas = context.related.list("resourcequotas", name, {})) {
        out.line(0, "");
        write_quotas(out, *quotas);
    }
    if (const auto ranges = context.related.list("limitranges", name, {})) {
        out.line(0, "");
        write_limits(out, *ranges);
    }
}

void describe_quota(const Context& context) {
    Description& out = context.out;
    write_name(out, context.object);
    write_scopes(out, 0, context.object);
    out.row(0, {"Resource", "Used", "Hard"});
    out.row(0, {"--------", "----", "----"});
    write_quota_rows(out, 0, context.object);
}

void describe_limit_range(const Context& context) {
    Description& out = context.out;
    write_name(out, context.object);
    out.line(0, "Type\tResource\tMin\tMax\tDefault Request\tDefault Limit\tMax Limit/Request Ratio");
    out.line(0, "----\t--------\t---\t---\t---------------\t-------------\t-----------------------");
    write_limit_rows(out, "", context.object);
}

}  // namespace keelson::cli::describing
