// Table columns of access, policy, scaling, admission, flow control and devices.
#include <algorithm>
#include <cctype>
#include <map>
#include <set>
#include <string>

#include "kernel/object/table_cells.h"
#include "kernel/object/table_templates.h"
#include "kernel/object/time_format.h"

namespace keelson::object::tables {
namespace {

constexpr char kSpecType[] = "spec.type";
constexpr char kNodeName[] = "spec.nodeName";

// --- access ---

Value role_text(const Cell& cell) {
    return cell.text(cell.at("roleRef.kind").to_string() + "/" + cell.at("roleRef.name").to_string());
}

Value subjects_text(const Cell& cell, std::string_view kind) {
    std::vector<std::string> names;
    for (Value subject : cell.at("subjects").items()) {
        if (subject["kind"].as_string() != kind) continue;
        std::string name = subject["name"].to_string();
        names.push_back(kind == "ServiceAccount" ? subject["namespace"].to_string() + "/" + name : name);
    }
    return cell.text(join(names, ", "));
}

constexpr ColumnRule kRoleBinding[] = {
    kNameColumn,
    {{"Role", "string", "", 0}, role_text},
    kAgeColumn,
    {{"Users", "string", "", 1}, [](const Cell& cell) { return subjects_text(cell, "User"); }},
    {{"Groups", "string", "", 1}, [](const Cell& cell) { return subjects_text(cell, "Group"); }},
    {{"ServiceAccounts", "string", "", 1},
     [](const Cell& cell) { return subjects_text(cell, "ServiceAccount"); }},
};

Value request_condition(const Cell& cell) {
    bool approved = false, denied = false, failed = false;
    for (Value condition : cell.at("status.conditions").items()) {
        std::string_view type = condition["type"].as_string();
        approved = approved || type == "Approved";
        denied = denied || type == "Denied";
        failed = failed || type == "Failed";
    }
    std::string text = denied ? "Denied" : approved ? "Approved" : "Pending";
    if (failed) text += ",Failed";
    if (!cell.at("status.certificate").as_string().empty()) text += ",Issued";
    return cell.text(text);
}

constexpr char kSignerName[] = "spec.signerName";
constexpr char kUsername[] = "spec.username";

constexpr ColumnRule kCertificateRequest[] = {
    kNameColumn,
    kAgeColumn,
    {{"SignerName", "string", "", 0}, text_or_none<kSignerName>},
    {{"Requestor", "string", "", 0}, text_cell<kUsername>},
    {{"RequestedDuration", "string", "", 0},
     [](const Cell& cell) {
         Value seconds = cell.at("spec.expirationSeconds");
         return cell.text(seconds.is_integer() ? human_duration(seconds.as_integer()) : "<none>");
     }},
    {{"Condition", "string", "", 0}, request_condition},
};

// --- policy and scaling ---

constexpr ColumnRule kDisruptionBudget[] = {
    kNameColumn,
    {{"Min Available", "string", "", 0},
     [](const Cell& cell) { return cell.text_at("spec.minAvailable", "N/A"); }},
    {{"Max Unavailable", "string", "", 0},
     [](const Cell& cell) { return cell.text_at("spec.maxUnavailable", "N/A"); }},
    {{"Allowed Disruptions", "integer", "", 0},
     [](const Cell& cell) { return cell.number_at("status.disruptionsAllowed"); }},
    kAgeColumn,
};

Value quota_text(const Cell& cell, bool limits) {
    std::vector<std::string> items;
    for (const Member& entry : cell.at("status.hard").members()) {
        if (entry.name.starts_with("limits.") != limits) continue;
        std::string used = cell.at("status.used")[entry.name].to_string();
        items.push_back(std::string(entry.name) + ": " + (used.empty() ? "0" : used) + "/" +
                        entry.value.to_string());
    }
    std::ranges::sort(items);
    return cell.text(join(items, ", "));
}

constexpr ColumnRule kResourceQuota[] = {
    kNameColumn,
    {{"Request", "string", "", 0}, [](const Cell& cell) { return quota_text(cell, false); }},
    {{"Limit", "string", "", 0}, [](const Cell& cell) { return quota_text(cell, true); }},
    kAgeColumn,
};

std::string metric_target(Value target, Value current, bool marks_average) {
    std::string_view type = target["type"].as_string();
    if (target["averageUtilization"].is_integer() || type == "Utilization") {
        Value now = current["averageUtilization"];
        return (now.is_integer() ? std::to_string(now.as_integer()) + "%" : "<unknown>") + "/" +
               std::to_string(target["averageUtilization"].as_integer()) + "%";
    }
    if (target["averageValue"].is_set()) {
        std::string suffix = marks_average ? " (avg)" : "";
        Value now = current["averageValue"];
        return (now.is_set() ? now.to_string() : "<unknown>") + "/" + target["averageValue"].to_string() +
               suffix;
    }
    Value now = current["value"];
    return (now.is_set() ? now.to_string() : "<unknown>") + "/" + target["value"].to_string();
}

std::string metric_text(Value metric, Value current) {
    std::string_view type = metric["type"].as_string();
    for (auto [kind, member] : {std::pair<std::string_view, std::string_view>{"Resource", "resource"},
                                {"ContainerResource", "containerResource"},
                                {"Pods", "pods"},
                                {"Object", "object"},
                                {"External", "external"}}) {
        if (type != kind) continue;
        Value source = metric[member];
        bool marks_average = kind == "Object" || kind == "External";
        std::string text = metric_target(source["target"], current[member]["current"], marks_average);
        bool named = kind == "Resource" || kind == "ContainerResource";
        return named ? source["name"].to_string() + ": " + text : text;
    }
    return "<unknown type>";
}

Value autoscaler_targets(const Cell& cell) {
    constexpr std::size_t kShown = 2;
    std::vector<std::string> items;
    Value current = cell.at("status.currentMetrics");
    if (Value wanted = cell.at("spec.targetCPUUtilizationPercentage"); wanted.is_integer()) {
        Value now = cell.at("status.currentCPUUtilizationPercentage");
        items.push_back("cpu: " + (now.is_integer() ? std::to_string(now.as_integer()) + "%" : "<unknown>") +
                        "/" + std::to_string(wanted.as_integer()) + "%");
    }
    auto metrics = cell.at("spec.metrics").items();
    for (std::size_t i = 0; i < metrics.size(); ++i) items.push_back(metric_text(metrics[i], current.at(i)));
    if (items.empty()) return cell.text("<none>");
    std::size_t hidden = items.size() > kShown ? items.size() - kShown : 0;
    items.resize(items.size() - hidden);
    std::string text = join(items, ", ");
    return cell.text(hidden == 0 ? text : text + " + " + std::to_string(hidden) + " more...");
}

constexpr char kMinReplicas[] = "spec.minReplicas";
constexpr char kMaxReplicas[] = "spec.maxReplicas";
constexpr char kCurrentReplicas[] = "status.currentReplicas";

constexpr ColumnRule kAutoscaler[] = {
    kNameColumn,
    {{"Reference", "string", "", 0},
     [](const Cell& cell) {
         return cell.text(cell.at("spec.scaleTargetRef.kind").to_string() + "/" +
                          cell.at("spec.scaleTargetRef.name").to_string());
     }},
    {{"Targets", "string", "", 0}, autoscaler_targets},
    {{"MinPods", "string", "", 0}, text_or_unset<kMinReplicas>},
    {{"MaxPods", "string", "", 0}, number_cell<kMaxReplicas>},
    {{"Replicas", "string", "", 0}, number_cell<kCurrentReplicas>},
    kAgeColumn,
};

constexpr char kSpecReplicas[] = "spec.replicas";
constexpr char kStatusReplicas[] = "status.replicas";

constexpr ColumnRule kScale[] = {
    kNameColumn,
    {{"Desired", "integer", "", 0}, number_cell<kSpecReplicas>},
    {{"Available", "integer", "", 0}, number_cell<kStatusReplicas>},
    kAgeColumn,
};

constexpr char kValue[] = "value";
constexpr char kGlobalDefault[] = "globalDefault";
constexpr char kPreemptionPolicy[] = "preemptionPolicy";
constexpr char kHandler[] = "handler";

constexpr ColumnRule kPriorityClass[] = {
    kNameColumn,
    {{"Value", "integer", "", 0}, number_cell<kValue>},
    {{"Global-Default", "boolean", "", 0}, truth_cell<kGlobalDefault>},
    kAgeColumn,
    {{"PreemptionPolicy", "string", "", 0}, text_cell<kPreemptionPolicy>},
};

constexpr ColumnRule kRuntimeClass[] = {
    kNameColumn, {{"Handler", "string", "", 0}, text_cell<kHandler>}, kAgeColumn};

// --- coordination, admission, flow control ---

constexpr char kHolder[] = "spec.holderIdentity";
constexpr char kRevision[] = "revision";

constexpr ColumnRule kLease[] = {kNameColumn, {{"Holder", "string", "", 0}, text_cell<kHolder>}, kAgeColumn};

Value controller_text(const Cell& cell) {
    for (Value owner : cell.at("metadata.ownerReferences").items()) {
        if (!owner["controller"].as_boolean()) continue;
        std::string api_version = owner["apiVersion"].to_string();
        std::size_t slash = api_version.find('/');
        std::string kind = owner["kind"].to_string();
        if (slash != std::string::npos) kind += "." + api_version.substr(0, slash);
        return cell.text(lower(kind) + "/" + owner["name"].to_string());
    }
    return cell.text("<none>");
}

constexpr ColumnRule kControllerRevision[] = {
    kNameColumn,
    {{"Controller", "string", "", 0}, controller_text},
    {{"Revision", "string", "", 0}, number_cell<kRevision>},
    kAgeColumn,
};

constexpr char kWebhooks[] = "webhooks";
constexpr char kValidations[] = "spec.validations";
constexpr char kMutations[] = "spec.mutations";
constexpr char kPolicyName[] = "spec.policyName";

constexpr ColumnRule kWebhookConfiguration[] = {
    kNameColumn, {{"Webhooks", "integer", "", 0}, count_cell<kWebhooks>}, kAgeColumn};

Value parameter_kind(const Cell& cell) {
    Value kind = cell.at("spec.paramKind");
    if (kind.is_unset()) return cell.text("<unset>");
    return cell.text(kind["apiVersion"].to_string() + "/" + kind["kind"].to_string());
}

Value parameter_reference(const Cell& cell) {
    Value reference = cell.at("spec.paramRef");
    if (reference.is_unset()) return cell.text("<unset>");
    std::string name = reference["name"].to_string();
    if (name.empty()) return cell.text(selector_text(reference["selector"]));
    std::string space = reference["namespace"].to_string();
    return cell.text((space.empty() ? "*" : space) + "/" + name);
}

constexpr ColumnRule kValidatingPolicy[] = {
    kNameColumn,
    {{"Validations", "integer", "", 0}, count_cell<kValidations>},
    {{"ParamKind", "string", "", 0}, parameter_kind},
    kAgeColumn,
};

constexpr ColumnRule kMutatingPolicy[] = {
    kNameColumn,
    {{"Mutations", "integer", "", 0}, count_cell<kMutations>},
    {{"ParamKind", "string", "", 0}, parameter_kind},
    kAgeColumn,
};

constexpr ColumnRule kPolicyBinding[] = {
    kNameColumn,
    {{"PolicyName", "string", "", 0}, text_cell<kPolicyName>},
    {{"ParamRef", "string", "", 0}, parameter_reference},
    kAgeColumn,
};

constexpr char kPriorityLevel[] = "spec.priorityLevelConfiguration.name";
constexpr char kPrecedence[] = "spec.matchingPrecedence";
constexpr char kDistinguisher[] = "spec.distinguisherMethod.type";

constexpr ColumnRule kFlowSchema[] = {
    kNameColumn,
    {{"PriorityLevel", "string", "", 0}, text_cell<kPriorityLevel>},
    {{"MatchingPrecedence", "string", "", 0}, number_cell<kPrecedence>},
    {{"DistinguisherMethod", "string", "", 0}, text_or_none<kDistinguisher>},
    kAgeColumn,
    {{"MissingPL", "string", "", 0},
     [](const Cell& cell) {
         std::string status = condition_of(cell.at("status"), "Dangling")["status"].to_string();
         return cell.text(status.empty() ? "?" : status);
     }},
};

constexpr ColumnRule kPriorityLevelConfiguration[] = {
    kNameColumn,
    {{"Type", "string", "", 0}, text_cell<kSpecType>},
    {{"NominalConcurrencyShares", "string", "", 0},
     [](const Cell& cell) { return number_or_none(cell, "spec.limited.nominalConcurrencyShares"); }},
    {{"Queues", "string", "", 0},
     [](const Cell& cell) { return number_or_none(cell, "spec.limited.limitResponse.queuing.queues"); }},
    {{"HandSize", "string", "", 0},
     [](const Cell& cell) { return number_or_none(cell, "spec.limited.limitResponse.queuing.handSize"); }},
    {{"QueueLengthLimit", "string", "", 0},
     [](const Cell& cell) {
         return number_or_none(cell, "spec.limited.limitResponse.queuing.queueLengthLimit");
     }},
    kAgeColumn,
};

// --- devices and API services ---

Value claim_state(const Cell& cell) {
    std::vector<std::string> states;
    bool deleted = cell.at("metadata.deletionTimestamp").is_set();
    bool allocated = cell.at("status.allocation").is_set();
    if (deleted) states.emplace_back("deleted");
    if (!allocated && !deleted) states.emplace_back("pending");
    if (allocated) states.emplace_back("allocated");
    if (!cell.at("status.reservedFor").empty()) states.emplace_back("reserved");
    return cell.text(join(states));
}

constexpr ColumnRule kResourceClaim[] = {kNameColumn, {{"State", "string", "", 0}, claim_state}, kAgeColumn};

constexpr char kDriver[] = "spec.driver";
constexpr char kPool[] = "spec.pool.name";

constexpr ColumnRule kResourceSlice[] = {
    kNameColumn,
    {{"Node", "string", "", 0}, text_cell<kNodeName>},
    {{"Driver", "string", "", 0}, text_cell<kDriver>},
    {{"Pool", "string", "", 0}, text_cell<kPool>},
    kAgeColumn,
};

constexpr ColumnRule kApiService[] = {
    kNameColumn,
    {{"Service", "string", "", 0},
     [](const Cell& cell) {
         Value service = cell.at("spec.service");
         if (service.is_unset()) return cell.text("Local");
         return cell.text(service["namespace"].to_string() + "/" + service["name"].to_string());
     }},
    {{"Available", "string", "", 0},
     [](const Cell& cell) {
         Value available = condition_of(cell.at("status"), "Available");
         if (available.is_unset()) return cell.text("Unknown");
         std::string status = available["status"].to_string();
         return cell.text(status == "True" ? status : status + " (" + available["reason"].to_string() + ")");
     }},
    kAgeColumn,
};

}  // namespace

std::span<const ColumnRule> policy_rules(std::string_view type) {
    static const std::map<std::string_view, std::span<const ColumnRule>> rules{
        {"core/v1.ResourceQuota", kResourceQuota},
        {"policy/v1.PodDisruptionBudget", kDisruptionBudget},
        {"autoscaling/v1.HorizontalPodAutoscaler", kAutoscaler},
        {"autoscaling/v2.HorizontalPodAutoscaler", kAutoscaler},
        {"autoscaling/v1.Scale", kScale},
        {"rbac/v1.RoleBinding", kRoleBinding},
        {"rbac/v1.ClusterRoleBinding", kRoleBinding},
        {"certificates/v1.CertificateSigningRequest", kCertificateRequest},
        {"coordination/v1.Lease", kLease},
        {"apps/v1.ControllerRevision", kControllerRevision},
        {"scheduling/v1.PriorityClass", kPriorityClass},
        {"node/v1.RuntimeClass", kRuntimeClass},
        {"admissionregistration/v1.MutatingWebhookConfiguration", kWebhookConfiguration},
        {"admissionregistration/v1.ValidatingWebhookConfiguration", kWebhookConfiguration},
        {"admissionregistration/v1.ValidatingAdmissionPolicy", kValidatingPolicy},
        {"admissionregistration/v1.ValidatingAdmissionPolicyBinding", kPolicyBinding},
        {"admissionregistration/v1.MutatingAdmissionPolicy", kMutatingPolicy},
        {"admissionregistration/v1.MutatingAdmissionPolicyBinding", kPolicyBinding},
        {"flowcontrol/v1.FlowSchema", kFlowSchema},
        {"flowcontrol/v1.PriorityLevelConfiguration", kPriorityLevelConfiguration},
        {"resource/v1.ResourceClaim", kResourceClaim},
        {"resource/v1.ResourceSlice", kResourceSlice},
        {"apiregistration/v1.APIService", kApiService},
    };
    auto found = rules.find(type);
    return found == rules.end() ? std::span<const ColumnRule>() : found->second;
}

}  // namespace keelson::object::tables
