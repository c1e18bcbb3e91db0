#include <algorithm>

#include "kernel/object/validation/parts.h"

namespace keelson::object::validation {

namespace {

void validate_id(FieldErrors& errors, const FieldPath& path, Value id) {
    if (id.is_unset()) return;
    if (Messages messages = is_user_or_group_id(id.as_integer()); !messages.empty())
        errors.invalid_each(path, id.as_integer(), messages);
}

void validate_seccomp(FieldErrors& errors, const FieldPath& path, Value profile) {
    if (!profile.is_map()) return;
    std::string_view type = profile["type"].as_string();
    Value local = profile["localhostProfile"];
    if (type == "Localhost") {
        if (local.is_unset())
            errors.required(path.child("localhostProfile"), "must be set when seccomp type is Localhost");
        else
            validate_descending_path(errors, path.child("localhostProfile"), local.as_string());
    } else {
        if (local.is_set())
            errors.invalid(path.child("localhostProfile"), local.as_string(),
                           "can only be set when seccomp type is Localhost");
        if (type.empty())
            errors.required(path.child("type"), "type is required when seccompProfile is set");
        else
            one_of(errors, path.child("type"), type, {"Localhost", "RuntimeDefault", "Unconfined"});
    }
}

void validate_app_armor(FieldErrors& errors, const FieldPath& path, Value profile) {
    constexpr std::size_t kProfileMost = 4095;
    if (!profile.is_map()) return;
    std::string_view type = profile["type"].as_string();
    Value local = profile["localhostProfile"];
    const FieldPath local_path = path.child("localhostProfile");
    if (type == "Localhost") {
        std::string_view name = local.as_string();
        auto trimmed = [](std::string_view text) {
            constexpr std::string_view kSpace = " \t\r\n\v\f";
            std::size_t first = text.find_first_not_of(kSpace);
            if (first == std::string_view::npos) return std::string_view();
            return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
        };
        if (local.is_unset()) {
            errors.required(local_path, "must be set when AppArmor type is Localhost");
        } else {
            if (trimmed(name).empty())
                errors.required(local_path, "must be set when AppArmor type is Localhost");
            else if (trimmed(name).size() != name.size())
                errors.invalid(local_path, name, "must not be padded with whitespace");
            if (name.size() > kProfileMost) errors.too_long(local_path, kProfileMost);
        }
    } else {
        if (local.is_set())
            errors.invalid(local_path, local.as_string(), "can only be set when AppArmor type is Localhost");
        if (type.empty())
            errors.required(path.child("type"), "type is required when appArmorProfile is set");
        else
            one_of(errors, path.child("type"), type, {"Localhost", "RuntimeDefault", "Unconfined"});
    }
}

void validate_windows_options(FieldErrors& errors, const FieldPath& path, Value options) {
    constexpr std::size_t kSpecificationMost = 64 << 10, kUserMost = 104;
    if (!options.is_map()) return;
    if (Value name = options["gmsaCredentialSpecName"]; name.is_set())
        dns1123_subdomain(errors, path.child("gmsaCredentialSpecName"), name.as_string());
    if (Value spec = options["gmsaCredentialSpec"]; spec.is_set()) {
        if (spec.empty())
            errors.invalid(path.child("gmsaCredentialSpec"), spec.as_string(),
                           "gmsaCredentialSpec cannot be an empty string");
        else if (spec.size() > kSpecificationMost)
            errors.invalid(path.child("gmsaCredentialSpec"), spec.as_string(),
                           "gmsaCredentialSpec size must be under 64 KiB");
    }
    Value run_as = options["runAsUserName"];
    if (run_as.is_unset()) return;
    const FieldPath at = path.child("runAsUserName");
    std::string_view text = run_as.as_string();
    if (text.empty()) return errors.invalid(at, text, "runAsUserName cannot be an empty string");
    if (std::any_of(text.begin(), text.end(),
                    [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }))
        errors.invalid(at, text, "runAsUserName cannot contain control characters");
    auto parts = split(text, '\\');
    if (parts.size() > 2)
        return errors.invalid(at, text, "runAsUserName cannot contain more than one backslash");
    std::string_view user = parts.back();
    if (user.empty())
        errors.invalid(at, text, "runAsUserName's User cannot be empty");
    else if (user.size() > kUserMost)
        errors.invalid(at, text, "runAsUserName's User length must not be longer than 104 characters");
}

bool is_sysctl_name(std::string_view name) {
    if (name.size() > 253 || name.empty()) return false;
    auto alphanumeric = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
    bool at_start = true;
    for (std::size_t i = 0; i < name.size(); ++i) {
        char c = name[i];
        if (alphanumeric(c)) {
            at_start = false;
        } else if (c == '-' || c == '_') {
            bool at_end = i + 1 == name.size() || name[i + 1] == '.' || name[i + 1] == '/';
            if (at_start || at_end) return false;
        } else if (c == '.' || c == '/') {
            if (at_start || i + 1 == name.size()) return false;
            at_start = true;
        } else {
            return false;
        }
    }
    return true;
}

void validate_sysctls(FieldErrors& errors, const FieldPath& path, Value context, Value spec) {
    auto sysctls = context["sysctls"].items();
    for (std::size_t i = 0; i < sysctls.size(); ++i) {
        const FieldPath item = path.item("sysctls", i);
        const FieldPath at = item.child("name");
        std::string_view name = sysctls[i]["name"].as_string();
        bool seen = std::any_of(sysctls.begin(), sysctls.begin() + static_cast<std::ptrdiff_t>(i),
                                [&](Value other) { return other["name"].as_string() == name; });
        if (name.empty())
            errors.required(at);
        else if (!is_sysctl_name(name))
            errors.invalid(at, name,
                           "must have at most 253 characters and match regex "
                           "^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$");
        else if (seen)
            errors.duplicate(at, name);
        std::string dotted(name);
        std::replace(dotted.begin(), dotted.end(), '/', '.');
        bool ipc = dotted.starts_with("kernel.shm") || dotted.starts_with("kernel.msg") ||
                   dotted == "kernel.sem" || dotted.starts_with("fs.mqueue.");
        if (dotted.starts_with("net.") && spec["hostNetwork"].as_boolean())
            errors.invalid(at, name, "may not be specified when 'hostNetwork' is set to true");
        if (ipc && spec["hostIPC"].as_boolean())
            errors.invalid(at, name, "may not be specified when 'hostIPC' is set to true");
    }
}

// The internal form of a container's security context as Go's JSON prints it.
BadValue printed_context(Value context) {
    std::string out = "{";
    auto add = [&](std::string_view name, std::string_view member, bool structure) {
        if (out.size() > 1) out += ',';
        out += go_quoted(name);
        out += ':';
        out += structure ? BadValue::go_structure(context[member]).text() : BadValue(context[member]).text();
    };
    Value capabilities = context["capabilities"];
    out += "\"Capabilities\":";
    if (capabilities.is_map())
        out += "{\"Add\":" + BadValue(capabilities["add"]).text() +
               ",\"Drop\":" + BadValue(capabilities["drop"]).text() + "}";
    else
        out += "null";
    add("Privileged", "privileged", false);
    add("SELinuxOptions", "seLinuxOptions", true);
    add("WindowsOptions", "windowsOptions", true);
    add("RunAsUser", "runAsUser", false);
    add("RunAsGroup", "runAsGroup", false);
    add("RunAsNonRoot", "runAsNonRoot", false);
    add("ReadOnlyRootFilesystem", "readOnlyRootFilesystem", false);
    add("AllowPrivilegeEscalation", "allowPrivilegeEscalation", false);
    add("ProcMount", "procMount", false);
    add("SeccompProfile", "seccompProfile", true);
    add("AppArmorProfile", "appArmorProfile", true);
    out += '}';
    return BadValue::raw(std::move(out));
}

void validate_host_network(FieldErrors& errors, const FieldPath& path, Value spec,
                           const PodOptions& options) {
    if (!spec["hostNetwork"].as_boolean()) return;
    each(spec, "containers", path, [&](Value container, const FieldPath& container_path) {
        each(container, "ports", container_path, [&](Value port, const FieldPath& at) {
            std::int64_t host = port["hostPort"].as_integer(), own = port["containerPort"].as_integer();
            if (host != own && !(options.is_template && host == 0))
                errors.invalid(at.child("containerPort"), own,
                               "must match `hostPort` when `hostNetwork` is true");
        });
    });
}

}  // namespace

void validate_container_security(FieldErrors& errors, const FieldPath& path, Value context, bool host_users) {
    if (!context.is_map()) return;
    validate_id(errors, path.child("runAsUser"), context["runAsUser"]);
    validate_id(errors, path.child("runAsGroup"), context["runAsGroup"]);
    if (Value mount = context["procMount"]; mount.is_set()) {
        std::string_view text = mount.as_string();
        if (text != "Default" && text != "Unmasked")
            errors.not_supported(path.child("procMount"), text, {"Default", "Unmasked"});
        if (host_users && text == "Unmasked")
            errors.invalid(path.child("procMount"), text, "`hostUsers` must be false to use `Unmasked`");
    }
    validate_seccomp(errors, path.child("seccompProfile"), context["seccompProfile"]);
    Value escalation = context["allowPrivilegeEscalation"];
    if (escalation.is_set() && !escalation.as_boolean()) {
        if (context["privileged"].as_boolean())
            errors.invalid(path, printed_context(context),
                           "cannot set `allowPrivilegeEscalation` to false and `privileged` to true");
        if (contains(context.path({"capabilities", "add"}), "CAP_SYS_ADMIN"))
            errors.invalid(
                path, printed_context(context),
                "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN");
    }
    validate_windows_options(errors, path.child("windowsOptions"), context["windowsOptions"]);
    validate_app_armor(errors, path.child("appArmorProfile"), context["appArmorProfile"]);
}

void validate_pod_security(FieldErrors& errors, const FieldPath& spec_path, Value spec,
                           const PodOptions& options) {
    const FieldPath path = spec_path.child("securityContext");
    validate_host_network(errors, spec_path, spec, options);
    Value context = spec["securityContext"];
    if (!context.is_map()) return;
    validate_id(errors, path.child("fsGroup"), context["fsGroup"]);
    validate_id(errors, path.child("runAsUser"), context["runAsUser"]);
    validate_id(errors, path.child("runAsGroup"), context["runAsGroup"]);
    each(context, "supplementalGroups", path,
         [&](Value group, const FieldPath& at) { validate_id(errors, at, group); });
    if (spec["shareProcessNamespace"].as_boolean() && spec["hostPID"].as_boolean())
        errors.invalid(path.child("shareProcessNamespace"), true,
                       "ShareProcessNamespace and HostPID cannot both be enabled");
    validate_sysctls(errors, path, context, spec);
    if (Value policy = context["fsGroupChangePolicy"]; policy.is_set())
        one_of(errors, path.child("fsGroupChangePolicy"), policy.as_string(), {"Always", "OnRootMismatch"});
    validate_seccomp(errors, path.child("seccompProfile"), context["seccompProfile"]);
    validate_windows_options(errors, path.child("windowsOptions"), context["windowsOptions"]);
    validate_app_armor(errors, path.child("appArmorProfile"), context["appArmorProfile"]);
    if (Value policy = context["supplementalGroupsPolicy"]; policy.is_set())
        one_of(errors, path.child("supplementalGroupsPolicy"), policy.as_string(), {"Merge", "Strict"});
    if (Value policy = context["seLinuxChangePolicy"]; policy.is_set())
        one_of(errors, path.child("seLinuxChangePolicy"), policy.as_string(), {"MountOption", "Recursive"});
}

void validate_operating_system(FieldErrors& errors, const FieldPath& path, Value spec) {
    Value system = spec["os"];
    if (!system.is_map()) return;
    std::string_view name = system["name"].as_string();
    if (name.empty()) return errors.required(path.child("os.name"), "cannot be empty");
    if (name != "linux" && name != "windows")
        return errors.not_supported(path.child("os"), name, {"linux", "windows"});
    auto each_container = [&](auto check) {
        for (std::string_view list : {"containers", "initContainers", "ephemeralContainers"})
            each(spec, list, path, [&](Value container, const FieldPath& at) {
                if (Value context = container["securityContext"]; context.is_map())
                    check(context, at.child("securityContext"));
            });
    };
    Value context = spec["securityContext"];
    const FieldPath context_path = path.child("securityContext");
    if (name == "linux") {
        constexpr std::string_view kRefused = "windows options cannot be set for a linux pod";
        if (context["windowsOptions"].is_set())
            errors.forbidden(context_path.child("windowsOptions"), kRefused);
        each_container([&](Value own, const FieldPath& at) {
            if (own["windowsOptions"].is_set()) errors.forbidden(at.child("windowsOptions"), kRefused);
        });
        return;
    }
    constexpr std::string_view kRefused = "cannot be set for a windows pod";
    for (std::string_view field : {"appArmorProfile", "seLinuxOptions"})
        if (context[field].is_set()) errors.forbidden(context_path.child(field), kRefused);
    for (std::string_view field : {"hostUsers"})
        if (spec[field].is_set()) errors.forbidden(path.child(field), kRefused);
    for (std::string_view field : {"hostPID", "hostIPC"})
        if (spec[field].as_boolean()) errors.forbidden(path.child(field), kRefused);
    for (std::string_view field : {"seccompProfile", "fsGroup", "fsGroupChangePolicy"})
        if (context[field].is_set()) errors.forbidden(context_path.child(field), kRefused);
    if (!context["sysctls"].empty()) errors.forbidden(context_path.child("sysctls"), kRefused);
    if (spec["shareProcessNamespace"].is_set())
        errors.forbidden(path.child("shareProcessNamespace"), kRefused);
    for (std::string_view field : {"runAsUser", "runAsGroup"})
        if (context[field].is_set()) errors.forbidden(context_path.child(field), kRefused);
    if (!context["supplementalGroups"].empty())
        errors.forbidden(context_path.child("supplementalGroups"), kRefused);
    each_container([&](Value own, const FieldPath& at) {
        for (std::string_view field :
             {"appArmorProfile", "seLinuxOptions", "seccompProfile", "capabilities", "readOnlyRootFilesystem",
              "privileged", "allowPrivilegeEscalation", "procMount", "runAsUser", "runAsGroup"})
            if (own[field].is_set()) errors.forbidden(at.child(field), kRefused);
    });
}

}  // namespace keelson::object::validation
