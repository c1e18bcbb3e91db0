#include <yaml-cpp/yaml.h>

#include <optional>

#include "kernel/access/audit.h"

namespace keelson::access {
namespace {

using base::Reason;
using base::Status;

// Thrown and caught inside this file only: yaml-cpp speaks exceptions anyway.
struct PolicyError {
    std::string message;
};

[[noreturn]] void fail(const YAML::Node& node, const std::string& what) {
    throw PolicyError{"line " + std::to_string(node.Mark().line + 1) + ": " + what};
}

std::vector<std::string> strings(const YAML::Node& node) {
    if (!node.IsSequence()) fail(node, "must be a list");
    std::vector<std::string> list;
    for (const auto& item : node) {
        if (!item.IsScalar()) fail(item, "must be a text");
        list.push_back(item.Scalar());
    }
    return list;
}

AuditLevel parse_level(const YAML::Node& node) {
    const std::string text = node.IsScalar() ? node.Scalar() : "";
    if (text == "None") return AuditLevel::none;
    if (text == "Metadata") return AuditLevel::metadata;
    if (text == "Request") return AuditLevel::request;
    if (text == "RequestResponse") return AuditLevel::request_response;
    fail(node, "level must be None, Metadata, Request or RequestResponse");
}

std::vector<AuditStage> parse_stages(const YAML::Node& node) {
    std::vector<AuditStage> stages;
    for (const std::string& text : strings(node)) {
        if (text == "RequestReceived")
            stages.push_back(AuditStage::request_received);
        else if (text == "ResponseStarted")
            stages.push_back(AuditStage::response_started);
        else if (text == "ResponseComplete")
            stages.push_back(AuditStage::response_complete);
        else if (text == "Panic")
            stages.push_back(AuditStage::panic);
        else
            fail(node, "unknown stage '" + text + "'");
    }
    return stages;
}

AuditPolicy::Resources parse_resources(const YAML::Node& node) {
    AuditPolicy::Resources entry;
    for (const auto& member : node) {
        const std::string key = member.first.as<std::string>();
        if (key == "group")
            entry.group = member.second.as<std::string>();
        else if (key == "resources")
            entry.resources = strings(member.second);
        else if (key == "resourceNames")
            entry.resource_names = strings(member.second);
        else
            fail(member.first, "unknown key '" + key + "'");
    }
    return entry;
}

AuditPolicy::Rule parse_rule(const YAML::Node& node) {
    if (!node.IsMap()) fail(node, "a rule must be an object");
    AuditPolicy::Rule rule;
    for (const auto& member : node) {
        const std::string key = member.first.as<std::string>();
        const YAML::Node& value = member.second;
        if (key == "level")
            rule.level = parse_level(value);
        else if (key == "users")
            rule.users = strings(value);
        else if (key == "userGroups")
            rule.user_groups = strings(value);
        else if (key == "verbs")
            rule.verbs = strings(value);
        else if (key == "namespaces")
            rule.namespaces = strings(value);
        else if (key == "nonResourceURLs")
            rule.non_resource_urls = strings(value);
        else if (key == "omitStages")
            rule.omit_stages = parse_stages(value);
        else if (key == "omitManagedFields")
            continue;
        else if (key == "resources")
            for (const auto& item : value) rule.resources.push_back(parse_resources(item));
        else
            fail(member.first, "unknown key '" + key + "'");
    }
    if (!node["level"]) fail(node, "a rule needs a level");
    return rule;
}

}  // namespace

base::Result<AuditPolicy> parse_audit_policy(const std::string& yaml) {
    try {
        const YAML::Node document = YAML::Load(yaml);
        if (!document.IsMap()) return Status(Reason::bad_request, "the audit policy must be an object");
        AuditPolicy policy;
        for (const auto& member : document) {
            const std::string key = member.first.as<std::string>();
            if (key == "rules") {
                for (const auto& rule : member.second) policy.rules.push_back(parse_rule(rule));
            } else if (key == "omitStages") {
                policy.omit_stages = parse_stages(member.second);
            } else if (key == "kind" || key == "apiVersion") {
                const std::string wanted = key == "kind" ? "Policy" : "audit.k8s.io/v1";
                if (member.second.as<std::string>() != wanted)
                    fail(member.second, std::string(key).append(" must be ").append(wanted));
            } else if (key != "metadata" && key != "omitManagedFields") {
                fail(member.first, "unknown key '" + key + "'");
            }
        }
        return policy;
    } catch (const PolicyError& error) {
        return Status(Reason::bad_request, error.message);
    } catch (const YAML::Exception& error) {
        return Status(Reason::bad_request, "line " + std::to_string(error.mark.line + 1) + ": " + error.msg);
    }
}

}  // namespace keelson::access
