#include "kernel/object/validation/internal_form.h"

#include <algorithm>
#include <vector>

#include "kernel/object/json.h"
#include "kernel/object/names.h"

namespace keelson::object::validation {

namespace {

// The internal structures: fields in their order, each written Name=json and how it prints:
//   $ text   # number   ! truth   ? anything or null   (Quantity) "0" when unset
//   []T list of structures   *T structure or null   .T structure, zero when unset
// A '^' before the JSON name takes the member from the enclosing structure; without "=json" the JSON name is
// the Go name with its first letter in lower case.
struct Structure {
    std::string_view name;
    std::string_view fields;
};

constexpr Structure kStructures[] = {
    {"PodSpec",
     "Volumes[]Volume InitContainers[]Container Containers[]Container "
     "EphemeralContainers[]EphemeralContainer "
     "RestartPolicy$ TerminationGracePeriodSeconds? ActiveDeadlineSeconds? DNSPolicy=dnsPolicy$ "
     "NodeSelector? "
     "ServiceAccountName$ AutomountServiceAccountToken? NodeName$ SecurityContext*PodSecurityContext "
     "ImagePullSecrets[]LocalObjectReference Hostname$ Subdomain$ SetHostnameAsFQDN? Affinity*Affinity "
     "SchedulerName$ Tolerations[]Toleration HostAliases[]HostAlias PriorityClassName$ Priority? "
     "PreemptionPolicy? "
     "DNSConfig=dnsConfig*PodDNSConfig ReadinessGates[]PodReadinessGate RuntimeClassName? Overhead? "
     "EnableServiceLinks? TopologySpreadConstraints[]TopologySpreadConstraint OS=os*PodOS "
     "SchedulingGates[]PodSchedulingGate ResourceClaims[]PodResourceClaim Resources*ResourceRequirements "
     "HostnameOverride? SchedulingGroup?"},
    {"PodSecurityContext",
     "HostNetwork=^hostNetwork! HostPID=^hostPID! HostIPC=^hostIPC! "
     "ShareProcessNamespace=^shareProcessNamespace? "
     "HostUsers=^hostUsers? SELinuxOptions=seLinuxOptions*SELinuxOptions WindowsOptions*WindowsOptions "
     "RunAsUser? "
     "RunAsGroup? RunAsNonRoot? SupplementalGroups? SupplementalGroupsPolicy? FSGroup=fsGroup? "
     "FSGroupChangePolicy=fsGroupChangePolicy? Sysctls[]Sysctl SeccompProfile*SeccompProfile "
     "AppArmorProfile*AppArmorProfile SELinuxChangePolicy=seLinuxChangePolicy?"},
    {"SELinuxOptions", "User$ Role$ Type$ Level$"},
    {"WindowsOptions",
     "GMSACredentialSpecName=gmsaCredentialSpecName? GMSACredentialSpec=gmsaCredentialSpec? RunAsUserName? "
     "HostProcess?"},
    {"Sysctl", "Name$ Value$"},
    {"SeccompProfile", "Type$ LocalhostProfile?"},
    {"AppArmorProfile", "Type$ LocalhostProfile?"},
    {"LocalObjectReference", "Name$"},
    {"Affinity", "NodeAffinity*NodeAffinity PodAffinity*PodAffinity PodAntiAffinity*PodAffinity"},
    {"NodeAffinity",
     "RequiredDuringSchedulingIgnoredDuringExecution*NodeSelector "
     "PreferredDuringSchedulingIgnoredDuringExecution[]PreferredSchedulingTerm"},
    {"NodeSelector", "NodeSelectorTerms[]NodeSelectorTerm"},
    {"NodeSelectorTerm", "MatchExpressions[]NodeSelectorRequirement MatchFields[]NodeSelectorRequirement"},
    {"NodeSelectorRequirement", "Key$ Operator$ Values?"},
    {"PreferredSchedulingTerm", "Weight# Preference.NodeSelectorTerm"},
    {"PodAffinity",
     "RequiredDuringSchedulingIgnoredDuringExecution[]PodAffinityTerm "
     "PreferredDuringSchedulingIgnoredDuringExecution[]WeightedPodAffinityTerm"},
    {"WeightedPodAffinityTerm", "Weight# PodAffinityTerm.PodAffinityTerm"},
    {"PodAffinityTerm",
     "LabelSelector? Namespaces? TopologyKey$ NamespaceSelector? MatchLabelKeys? MismatchLabelKeys?"},
    {"Toleration", "Key$ Operator$ Value$ Effect$ TolerationSeconds?"},
    {"HostAlias", "IP=ip$ Hostnames?"},
    {"PodDNSConfig", "Nameservers? Searches? Options[]PodDNSConfigOption"},
    {"PodDNSConfigOption", "Name$ Value?"},
    {"PodReadinessGate", "ConditionType$"},
    {"TopologySpreadConstraint",
     "MaxSkew# TopologyKey$ WhenUnsatisfiable$ LabelSelector? MinDomains? NodeAffinityPolicy? "
     "NodeTaintsPolicy? "
     "MatchLabelKeys?"},
    {"PodOS", "Name$"},
    {"PodSchedulingGate", "Name$"},
    {"PodResourceClaim", "Name$ ResourceClaimName? ResourceClaimTemplateName?"},
    {"ResourceRequirements", "Limits? Requests? Claims[]ResourceClaim"},
    {"ResourceClaim", "Name$ Request$"},
    {"Container",
     "Name$ Image$ Command? Args? WorkingDir$ Ports[]ContainerPort EnvFrom[]EnvFromSource Env[]EnvVar "
     "Resources.ResourceRequirements ResizePolicy[]ContainerResizePolicy RestartPolicy? "
     "RestartPolicyRules[]ContainerRestartRule VolumeMounts[]VolumeMount VolumeDevices[]VolumeDevice "
     "LivenessProbe*Probe ReadinessProbe*Probe StartupProbe*Probe Lifecycle*Lifecycle "
     "TerminationMessagePath$ "
     "TerminationMessagePolicy$ ImagePullPolicy$ SecurityContext*SecurityContext Stdin! StdinOnce! TTY=tty!"},
    {"EphemeralContainer",
     "Name$ Image$ Command? Args? WorkingDir$ Ports[]ContainerPort EnvFrom[]EnvFromSource Env[]EnvVar "
     "Resources.ResourceRequirements ResizePolicy[]ContainerResizePolicy RestartPolicy? "
     "RestartPolicyRules[]ContainerRestartRule VolumeMounts[]VolumeMount VolumeDevices[]VolumeDevice "
     "LivenessProbe*Probe ReadinessProbe*Probe StartupProbe*Probe Lifecycle*Lifecycle "
     "TerminationMessagePath$ "
     "TerminationMessagePolicy$ ImagePullPolicy$ SecurityContext*SecurityContext Stdin! StdinOnce! TTY=tty! "
     "TargetContainerName$"},
    {"ContainerPort", "Name$ HostPort# ContainerPort# Protocol$ HostIP=hostIP$"},
    {"EnvFromSource", "Prefix$ ConfigMapRef*OptionalReference SecretRef*OptionalReference"},
    {"OptionalReference", "Name$ Optional?"},
    {"EnvVar", "Name$ Value$ ValueFrom*EnvVarSource"},
    {"EnvVarSource",
     "FieldRef*ObjectFieldSelector ResourceFieldRef*ResourceFieldSelector ConfigMapKeyRef*KeySelector "
     "SecretKeyRef*KeySelector FileKeyRef*FileKeySelector"},
    {"ObjectFieldSelector", "APIVersion=apiVersion$ FieldPath$"},
    {"ResourceFieldSelector", "ContainerName$ Resource$ Divisor(Quantity)"},
    {"KeySelector", "Name$ Key$ Optional?"},
    {"FileKeySelector", "VolumeName$ Path$ Key$ Optional?"},
    {"ContainerResizePolicy", "ResourceName$ RestartPolicy$"},
    {"ContainerRestartRule", "Action$ ExitCodes*ExitCodes"},
    {"ExitCodes", "Operator$ Values?"},
    {"VolumeMount", "Name$ ReadOnly! RecursiveReadOnly? MountPath$ SubPath$ MountPropagation? SubPathExpr$"},
    {"VolumeDevice", "Name$ DevicePath$"},
    {"Probe",
     "Exec*ExecAction HTTPGet=httpGet*HTTPGetAction TCPSocket=tcpSocket*TCPSocketAction GRPC=grpc*GRPCAction "
     "InitialDelaySeconds# TimeoutSeconds# PeriodSeconds# SuccessThreshold# FailureThreshold# "
     "TerminationGracePeriodSeconds?"},
    {"ExecAction", "Command?"},
    {"HTTPGetAction", "Path$ Port# Host$ Scheme$ HTTPHeaders=httpHeaders[]HTTPHeader"},
    {"HTTPHeader", "Name$ Value$"},
    {"TCPSocketAction", "Port# Host$"},
    {"GRPCAction", "Port# Service?"},
    {"Lifecycle", "PostStart*LifecycleHandler PreStop*LifecycleHandler StopSignal?"},
    {"LifecycleHandler",
     "Exec*ExecAction HTTPGet=httpGet*HTTPGetAction TCPSocket=tcpSocket*TCPSocketAction Sleep*SleepAction"},
    {"SleepAction", "Seconds#"},
    {"SecurityContext",
     "Capabilities*Capabilities Privileged? SELinuxOptions=seLinuxOptions*SELinuxOptions "
     "WindowsOptions*WindowsOptions RunAsUser? RunAsGroup? RunAsNonRoot? ReadOnlyRootFilesystem? "
     "AllowPrivilegeEscalation? ProcMount? SeccompProfile*SeccompProfile AppArmorProfile*AppArmorProfile"},
    {"Capabilities", "Add? Drop?"},
    {"Volume",
     "Name$ HostPath*HostPath EmptyDir*EmptyDir GCEPersistentDisk=gcePersistentDisk? "
     "AWSElasticBlockStore=awsElasticBlockStore? GitRepo? Secret*SecretVolume NFS=nfs*NFS ISCSI=iscsi? "
     "Glusterfs? "
     "PersistentVolumeClaim*ClaimVolume RBD=rbd? Quobyte? FlexVolume? Cinder? CephFS=cephfs? Flocker? "
     "DownwardAPI=downwardAPI*DownwardAPI FC=fc? AzureFile? ConfigMap*ConfigMapVolume VsphereVolume? "
     "AzureDisk? "
     "PhotonPersistentDisk? Projected*Projected PortworxVolume? ScaleIO=scaleIO? StorageOS=storageos? "
     "CSI=csi*CSIVolume Ephemeral? Image*ImageVolume"},
    {"HostPath", "Path$ Type?"},
    {"EmptyDir", "Medium$ SizeLimit?"},
    {"SecretVolume", "SecretName$ Items[]KeyToPath DefaultMode? Optional?"},
    {"ConfigMapVolume", "Name$ Items[]KeyToPath DefaultMode? Optional?"},
    {"KeyToPath", "Key$ Path$ Mode?"},
    {"NFS", "Server$ Path$ ReadOnly!"},
    {"ClaimVolume", "ClaimName$ ReadOnly!"},
    {"DownwardAPI", "Items[]DownwardAPIFile DefaultMode?"},
    {"DownwardAPIFile", "Path$ FieldRef*ObjectFieldSelector ResourceFieldRef*ResourceFieldSelector Mode?"},
    {"Projected", "Sources[]VolumeProjection DefaultMode?"},
    {"VolumeProjection",
     "Secret*ConfigMapProjection DownwardAPI=downwardAPI*DownwardAPIProjection ConfigMap*ConfigMapProjection "
     "ServiceAccountToken*TokenProjection ClusterTrustBundle? PodCertificate?"},
    {"ConfigMapProjection", "Name$ Items[]KeyToPath Optional?"},
    {"DownwardAPIProjection", "Items[]DownwardAPIFile"},
    {"TokenProjection", "Audience$ ExpirationSeconds# Path$"},
    {"CSIVolume",
     "Driver$ ReadOnly? FSType=fsType? VolumeAttributes? NodePublishSecretRef*LocalObjectReference"},
    {"ImageVolume", "Reference$ PullPolicy$"},
    {"ClaimSpec",
     "AccessModes? Selector? Resources.ClaimResources VolumeName$ StorageClassName? VolumeMode? "
     "DataSource*TypedReference DataSourceRef*TypedReferenceInNamespace VolumeAttributesClassName?"},
    {"ClaimResources", "Limits? Requests?"},
    {"TypedReference", "APIGroup=apiGroup? Kind$ Name$"},
    {"TypedReferenceInNamespace", "APIGroup=apiGroup? Kind$ Name$ Namespace?"},
};

class Printer {
  public:
    // Compact lines have no white space, so that joined they are compact JSON.
    explicit Printer(bool compact = false) : compact_(compact) {}
    std::vector<std::string> lines;

    void structure(std::string_view name, Value value, Value parent, std::string lead, std::string_view tail,
                   int depth) {
        lines.push_back(lead + "{");
        auto fields = split(fields_of(name), ' ');
        for (std::size_t i = 0; i < fields.size(); ++i)
            field(fields[i], value, parent, i + 1 < fields.size() ? "," : "", depth + 1);
        lines.push_back(indent(depth) + "}" + std::string(tail));
    }

  private:
    [[nodiscard]] std::string indent(int depth) const {
        return std::string(compact_ ? 0 : static_cast<std::size_t>(depth), ' ');
    }
    [[nodiscard]] std::string_view separator() const { return compact_ ? ":" : ": "; }
    static std::string_view fields_of(std::string_view name) {
        auto found = std::ranges::find(kStructures, name, &Structure::name);
        return found != std::end(kStructures) ? found->fields : std::string_view();
    }

    void field(std::string_view text, Value value, Value parent, std::string_view tail, int depth) {
        std::size_t end = text.find_first_of("=$#!?[*.(");
        std::string name(text.substr(0, end));
        std::string json = name;
        json[0] = static_cast<char>(json[0] | 0x20);
        text.remove_prefix(end);
        Value from = value;
        if (text[0] == '=') {
            text.remove_prefix(1);
            if (text[0] == '^') {
                from = parent;
                text.remove_prefix(1);
            }
            std::size_t stop = text.find_first_of("$#!?[*.(");
            json = text.substr(0, stop);
            text.remove_prefix(stop);
        }
        Value member = from[json];
        std::string lead = indent(depth) + "\"" + name + "\"" + std::string(separator());
        switch (text[0]) {
            case '$':
                return simple(lead, member.is_unset() ? Value::reference("") : member, tail, depth);
            case '#':
                return simple(lead, member.is_unset() ? Value::integer(0) : member, tail, depth);
            case '!':
                return simple(lead, member.is_unset() ? Value::boolean(false) : member, tail, depth);
            case '(':
                return simple(lead, member.is_unset() ? Value::reference("0") : member, tail, depth);
            case '[':
                return list(text.substr(2), member, value, lead, tail, depth);
            case '*':
                if (!member.is_map()) return simple(lead, Value(), tail, depth);
                return structure(text.substr(1), member, value, lead, tail, depth);
            case '.':
                return structure(text.substr(1), member, value, lead, tail, depth);
            default:
                return simple(lead, member, tail, depth);
        }
    }

    void list(std::string_view type, Value items, Value parent, const std::string& lead,
              std::string_view tail, int depth) {
        if (!items.is_list()) return simple(lead, Value(), tail, depth);
        if (items.empty()) return simple(lead, items, tail, depth);
        lines.push_back(lead + "[");
        for (std::size_t i = 0; i < items.size(); ++i)
            structure(type, items.at(i), parent, indent(depth + 1), i + 1 < items.size() ? "," : "",
                      depth + 1);
        lines.push_back(indent(depth) + "]" + std::string(tail));
    }

    // Plain JSON, indented by one space a level.
    void simple(const std::string& lead, Value value, std::string_view tail, int depth) {
        bool is_list = value.is_list();
        if (!(is_list || value.is_map()) || value.empty()) {
            lines.push_back(lead + to_json(value) + std::string(tail));
            return;
        }
        lines.push_back(lead + (is_list ? "[" : "{"));
        std::size_t count = value.size(), i = 0;
        for (Value item : value.items()) simple(indent(depth + 1), item, ++i < count ? "," : "", depth + 1);
        for (const Member& member : value.members()) {
            std::string name = indent(depth + 1);
            write_json_string(member.name, name);
            name += separator();
            simple(name, member.value, ++i < count ? "," : "", depth + 1);
        }
        lines.push_back(indent(depth) + (is_list ? "]" : "}") + std::string(tail));
    }

    bool compact_;
};

struct Edit {
    char sign;  // ' ', '-', '+'
    const std::string* line;
};

// The shortest edits by longest common subsequence; beyond a bound everything in between is replaced.
std::vector<Edit> edits_between(const std::vector<std::string>& before,
                                const std::vector<std::string>& after) {
    constexpr std::size_t kTableMost = 4'000'000;
    std::size_t start = 0, before_end = before.size(), after_end = after.size();
    while (start < before_end && start < after_end && before[start] == after[start]) ++start;
    while (before_end > start && after_end > start && before[before_end - 1] == after[after_end - 1]) {
        --before_end;
        --after_end;
    }
    std::vector<Edit> edits;
    for (std::size_t i = 0; i < start; ++i) edits.push_back({' ', &before[i]});
    std::size_t rows = before_end - start, columns = after_end - start;
    if ((rows + 1) * (columns + 1) > kTableMost) {
        for (std::size_t i = start; i < before_end; ++i) edits.push_back({'-', &before[i]});
        for (std::size_t i = start; i < after_end; ++i) edits.push_back({'+', &after[i]});
    } else {
        std::vector<std::uint32_t> common((rows + 1) * (columns + 1));
        auto at = [&](std::size_t i, std::size_t j) -> std::uint32_t& {
            return common[i * (columns + 1) + j];
        };
        for (std::size_t i = rows; i-- > 0;)
            for (std::size_t j = columns; j-- > 0;)
                at(i, j) = before[start + i] == after[start + j] ? at(i + 1, j + 1) + 1
                                                                 : std::max(at(i + 1, j), at(i, j + 1));
        std::size_t i = 0, j = 0;
        while (i < rows || j < columns) {
            if (i < rows && j < columns && before[start + i] == after[start + j]) {
                edits.push_back({' ', &before[start + i]});
                ++i;
                ++j;
            } else if (i < rows && (j == columns || at(i + 1, j) >= at(i, j + 1))) {
                edits.push_back({'-', &before[start + i++]});
            } else {
                edits.push_back({'+', &after[start + j++]});
            }
        }
    }
    for (std::size_t i = before_end; i < before.size(); ++i) edits.push_back({' ', &before[i]});
    return edits;
}

std::string unified(const std::vector<Edit>& edits) {
    constexpr std::size_t kContext = 3;
    std::string out;
    std::size_t before_line = 1, after_line = 1, i = 0;
    auto advance = [&](const Edit& edit) {
        before_line += edit.sign != '+';
        after_line += edit.sign != '-';
    };
    while (i < edits.size()) {
        std::size_t first = i;
        while (first < edits.size() && edits[first].sign == ' ') ++first;
        if (first == edits.size()) break;
        std::size_t start = first - std::min(first - i, kContext);
        for (; i < start; ++i) advance(edits[i]);
        std::size_t end = first, unchanged = 0;
        std::size_t last = first;
        for (; end < edits.size() && unchanged <= 2 * kContext; ++end) {
            unchanged = edits[end].sign == ' ' ? unchanged + 1 : 0;
            if (unchanged == 0) last = end;
        }
        end = std::min(last + 1 + kContext, edits.size());
        std::size_t before_count = 0, after_count = 0;
        std::string body;
        std::size_t before_start = before_line, after_start = after_line;
        for (; i < end; ++i) {
            before_count += edits[i].sign != '+';
            after_count += edits[i].sign != '-';
            body += edits[i].sign;
            body += *edits[i].line;
            body += '\n';
            advance(edits[i]);
        }
        out += "@@ -" + std::to_string(before_start) + "," + std::to_string(before_count) + " +" +
               std::to_string(after_start) + "," + std::to_string(after_count) + " @@\n" + body;
    }
    return out;
}

}  // namespace

std::string internal_difference(InternalType type, Value before, Value after) {
    std::string_view name = type == InternalType::pod_spec ? "PodSpec" : "ClaimSpec";
    Printer old_lines, new_lines;
    old_lines.structure(name, before, Value(), "", "", 0);
    new_lines.structure(name, after, Value(), "", "", 0);
    return unified(edits_between(old_lines.lines, new_lines.lines));
}

std::string internal_template(Value pod_template) {
    std::string out = "{";
    for (const Member& member : pod_template["metadata"].members()) {
        write_json_string(member.name, out);
        out += ':';
        write_json(member.value, out);
        out += ',';
    }
    out += "\"Spec\":";
    Printer printer(true);
    printer.structure("PodSpec", pod_template["spec"], Value(), "", "", 0);
    for (const std::string& line : printer.lines) out += line;
    out += '}';
    return out;
}

}  // namespace keelson::object::validation
