// The containers of pods and of templates of pods.
#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "cli/describe/parts.h"
#include "cli/kube/object.h"

namespace keelson::cli::describing {
namespace {

constexpr int kLevel = 2;

std::string ports(const Json& container, const char* which) {
    std::vector<std::string> parts;
    for (const Json& port : at(container, {"ports"})) {
        const Json& value = at(port, {which});
        parts.push_back((value.is_null() ? "0" : text(value)) + "/" + text(port, {"protocol"}));
    }
    return joined(parts, ", ");
}

void write_ports(Description& out, const Json& container, const char* which, const std::string& title) {
    const std::string list = ports(container, which);
    const bool are_several = list.find(',') != std::string::npos;
    out.field(kLevel, title + (are_several ? "s" : ""), or_none(list));
}

void write_seccomp(Description& out, const Json& container) {
    const Json& profile = at(container, {"securityContext", "seccompProfile"});
    if (!profile.is_object()) return;
    out.field(kLevel, "SeccompProfile", text(profile, {"type"}));
    if (text(profile, {"type"}) == "Localhost")
        out.field(kLevel + 1, "LocalhostProfile", text(profile, {"localhostProfile"}));
}

void write_lines(Description& out, const char* title, const Json& words) {
    if (!words.is_array() || words.empty()) return;
    out.line(kLevel, std::string(title) + ":");
    for (const Json& word : words) {
        const std::string whole = text(word);
        for (std::size_t begin = 0; begin <= whole.size();) {
            const std::size_t end = std::min(whole.find('\n', begin), whole.size());
            out.line(kLevel + 1, whole.substr(begin, end - begin));
            begin = end + 1;
        }
    }
}

void write_terminated(Description& out, const Json& ended) {
    for (const char* name : {"reason", "message"}) {
        const std::string value = text(ended, {name});
        if (!value.empty())
            out.field(kLevel + 1, name == std::string_view("reason") ? "Reason" : "Message", value);
    }
    out.field(kLevel + 1, "Exit Code", std::to_string(number(at(ended, {"exitCode"}))));
    if (number(at(ended, {"signal"})) > 0) out.field(kLevel + 1, "Signal", text(ended, {"signal"}));
    out.field(kLevel + 1, "Started", long_time(at(ended, {"startedAt"})));
    out.field(kLevel + 1, "Finished", long_time(at(ended, {"finishedAt"})));
}

void write_state(Description& out, const char* title, const Json& state) {
    if (const Json& running = at(state, {"running"}); running.is_object()) {
        out.field(kLevel, title, "Running");
        return out.field(kLevel + 1, "Started", long_time(at(running, {"startedAt"})));
    }
    if (const Json& ended = at(state, {"terminated"}); ended.is_object()) {
        out.field(kLevel, title, "Terminated");
        return write_terminated(out, ended);
    }
    out.field(kLevel, title, "Waiting");
    const std::string reason = text(state, {"waiting", "reason"});
    if (!reason.empty()) out.field(kLevel + 1, "Reason", reason);
}

void write_status(Description& out, const Json& status) {
    write_state(out, "State", at(status, {"state"}));
    if (at(status, {"lastState", "terminated"}).is_object())
        write_state(out, "Last State", at(status, {"lastState"}));
    out.field(kLevel, "Ready", yes(is_true(at(status, {"ready"}))));
    out.field(kLevel, "Restart Count", std::to_string(number(at(status, {"restartCount"}))));
}

std::string probe_text(const Json& probe) {
    const auto part = [&probe](const char* label, const char* name, const char* unit, int fallback) {
        return std::string(label) + "=" + std::to_string(number(at(probe, {name}), fallback)) + unit;
    };
    const std::string numbers =
        part("delay", "initialDelaySeconds", "s", 0) + " " + part("timeout", "timeoutSeconds", "s", 0) + " " +
        part("period", "periodSeconds", "s", 0) + " " + part("#success", "successThreshold", "", 0) + " " +
        part("#failure", "failureThreshold", "", 0);
    if (const Json& exec = at(probe, {"exec"}); exec.is_object())
        return "exec [" + joined(at(exec, {"command"}), " ") + "] " + numbers;
    if (const Json& get = at(probe, {"httpGet"}); get.is_object()) {
        std::string scheme = text(get, {"scheme"});
        for (char& letter : scheme)
            letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
        std::string path = text(get, {"path"});
        if (!path.starts_with('/')) path.insert(0, "/");
        return "http-get " + scheme + "://" + text(get, {"host"}) + ":" + text(get, {"port"}) + path + " " +
               numbers;
    }
    if (const Json& tcp = at(probe, {"tcpSocket"}); tcp.is_object())
        return "tcp-socket " + text(tcp, {"host"}) + ":" + text(tcp, {"port"}) + " " + numbers;
    if (const Json& grpc = at(probe, {"grpc"}); grpc.is_object())
        return "grpc <pod>:" + text(grpc, {"port"}) + " " + text(grpc, {"service"}) + " " + numbers;
    return "unknown " + numbers;
}

void write_probes(Description& out, const Json& container) {
    constexpr std::pair<const char*, const char*> kProbes[] = {
        {"livenessProbe", "Liveness"}, {"readinessProbe", "Readiness"}, {"startupProbe", "Startup"}};
    for (const auto& [name, title] : kProbes)
        if (const Json& probe = at(container, {name}); probe.is_object())
            out.field(kLevel, title, probe_text(probe));
}

std::string optional_text(const Json& reference) {
    return "Optional: " + std::string(is_true(at(reference, {"optional"})) ? "true" : "false");
}

void write_sources(Description& out, const Json& container) {
    const Json& sources = at(container, {"envFrom"});
    if (!sources.is_array() || sources.empty()) return;
    out.line(kLevel, "Environment Variables from:");
    for (const Json& source : sources) {
        const bool is_map = at(source, {"configMapRef"}).is_object();
        const Json& reference = at(source, {is_map ? "configMapRef" : "secretRef"});
        std::string from = is_map ? "ConfigMap" : "Secret";
        const std::string prefix = text(source, {"prefix"});
        if (!prefix.empty()) from += " with prefix '" + prefix + "'";
        out.row(kLevel + 1, {text(reference, {"name"}), from, optional_text(reference)});
    }
}

// What a field of the pod says; only those that variables may name.
std::string field_of(const Json& pod, const std::string& path) {
    if (path == "metadata.name") return kube::name_of(pod);
    if (path == "metadata.namespace") return kube::namespace_of(pod);
    if (path == "metadata.uid") return text(pod, {"metadata", "uid"});
    if (path == "spec.nodeName") return text(pod, {"spec", "nodeName"});
    if (path == "spec.serviceAccountName") return text(pod, {"spec", "serviceAccountName"});
    if (path == "status.hostIP") return text(pod, {"status", "hostIP"});
    if (path == "status.podIP") return text(pod, {"status", "podIP"});
    if (path == "status.podIPs") {
        std::vector<std::string> addresses;
        for (const Json& address : at(pod, {"status", "podIPs"})) addresses.push_back(text(address, {"ip"}));
        return joined(addresses, ",");
    }
    return {};
}

std::string amount_of(const Json& container, const Json& reference) {
    const std::string resource = text(reference, {"resource"});
    const std::size_t dot = resource.find('.');
    if (dot == std::string::npos) return {};
    const Json& given = at(container, {"resources", resource.substr(0, dot), resource.substr(dot + 1)});
    if (given.is_null()) return resource.starts_with("limits.") ? "node allocatable" : "0";
    const std::string divisor_text = text(reference, {"divisor"});
    auto divisor = quantity(at(reference, {"divisor"}));
    if (divisor.is_zero()) divisor = object::Quantity(1);
    const auto amount = quantity(given);
    if (resource.ends_with(".cpu")) {
        const auto by = divisor.milli_value();
        return std::to_string((amount.milli_value() + by - 1) / by);
    }
    const auto by = divisor.value();
    return std::to_string((amount.value() + by - 1) / by);
}

void write_value(Description& out, const std::string& name, const std::string& value) {
    std::string before = name + ":\t";
    for (std::size_t begin = 0; begin <= value.size();) {
        const std::size_t end = std::min(value.find('\n', begin), value.size());
        out.line(kLevel + 1, before + value.substr(begin, end - begin));
        before = "\t";
        begin = end + 1;
    }
}

void write_variable(Description& out, const Json& container, const Json& variable, const Json* pod) {
    const std::string name = text(variable, {"name"});
    const Json& from = at(variable, {"valueFrom"});
    if (!from.is_object()) return write_value(out, name, text(variable, {"value"}));
    if (const Json& field = at(from, {"fieldRef"}); field.is_object()) {
        const std::string path = text(field, {"fieldPath"});
        const std::string value = pod == nullptr ? "" : field_of(*pod, path);
        out.field(kLevel + 1, name, value + " (" + text(field, {"apiVersion"}) + ":" + path + ")");
    } else if (const Json& resource = at(from, {"resourceFieldRef"}); resource.is_object()) {
        out.field(kLevel + 1, name,
                  amount_of(container, resource) + " (" + text(resource, {"resource"}) + ")");
    } else if (const Json& secret = at(from, {"secretKeyRef"}); secret.is_object()) {
        out.row(kLevel + 1, {name + ":",
                             "<set to the key '" + text(secret, {"key"}) + "' in secret '" +
                                 text(secret, {"name"}) + "'>",
                             optional_text(secret)});
    } else if (const Json& map = at(from, {"configMapKeyRef"}); map.is_object()) {
        out.row(kLevel + 1,
                {name + ":",
                 "<set to the key '" + text(map, {"key"}) + "' of config map '" + text(map, {"name"}) + "'>",
                 optional_text(map)});
    }
}

void write_variables(Description& out, const Json& container, const Json* pod) {
    const Json& variables = at(container, {"env"});
    const bool are_there = variables.is_array() && !variables.empty();
    out.line(kLevel, are_there ? "Environment:" : "Environment:\t<none>");
    if (!are_there) return;
    for (const Json& variable : variables) write_variable(out, container, variable, pod);
}

std::vector<Json> sorted_by(const Json& list, const char* name) {
    std::vector<Json> sorted(list.begin(), list.end());
    std::stable_sort(sorted.begin(), sorted.end(), [name](const Json& left, const Json& right) {
        return text(left, {name}) < text(right, {name});
    });
    return sorted;
}

void write_mounts(Description& out, const Json& container) {
    const auto mounts = sorted_by(at(container, {"volumeMounts"}), "mountPath");
    out.line(kLevel, mounts.empty() ? "Mounts:\t<none>" : "Mounts:");
    for (const Json& mount : mounts) {
        std::string flags = is_true(at(mount, {"readOnly"})) ? "ro" : "rw";
        const std::string inside = text(mount, {"subPath"});
        if (!inside.empty()) flags += ",path=\"" + inside + "\"";
        out.line(kLevel + 1,
                 text(mount, {"mountPath"}) + " from " + text(mount, {"name"}) + " (" + flags + ")");
    }
    const auto devices = sorted_by(at(container, {"volumeDevices"}), "devicePath");
    if (!devices.empty()) out.line(kLevel, "Devices:");
    for (const Json& device : devices)
        out.line(kLevel + 1, text(device, {"devicePath"}) + " from " + text(device, {"name"}));
}

void write_container(Description& out, const Json& container, const Json* status, const Containers& all) {
    out.line(1, (all.indent.empty() ? "" : " ") + text(container, {"name"}) + ":");
    if (status != nullptr) out.field(kLevel, "Container ID", text(*status, {"containerID"}));
    out.field(kLevel, "Image", text(container, {"image"}));
    if (status != nullptr) out.field(kLevel, "Image ID", text(*status, {"imageID"}));
    write_ports(out, container, "containerPort", "Port");
    write_ports(out, container, "hostPort", "Host Port");
    write_seccomp(out, container);
    write_lines(out, "Command", at(container, {"command"}));
    write_lines(out, "Args", at(container, {"args"}));
    if (status != nullptr) write_status(out, *status);
    write_requests(out, kLevel, at(container, {"resources"}));
    write_probes(out, container);
    write_sources(out, container);
    write_variables(out, container, all.pod);
    write_mounts(out, container);
}

}  // namespace

void write_requests(Description& out, int level, const Json& resources) {
    for (const auto& [name, title] : {std::pair{"limits", "Limits:"}, std::pair{"requests", "Requests:"}}) {
        const Json& amounts = at(resources, {name});
        if (!amounts.is_object() || amounts.empty()) continue;
        out.line(level, title);
        for (const auto& [resource, amount] : amounts.items()) out.field(level + 1, resource, text(amount));
    }
}

void write_containers(Description& out, const Containers& containers) {
    const std::string label = std::string(containers.indent) + std::string(containers.label);
    if (!containers.specs.is_array() || containers.specs.empty()) return out.line(0, label + ": <none>");
    out.line(0, label + ":");
    for (const Json& container : containers.specs) {
        const Json* status = nullptr;
        for (const Json& one : containers.statuses)
            if (text(one, {"name"}) == text(container, {"name"})) status = &one;
        write_container(out, container, status, containers);
    }
}

}  // namespace keelson::cli::describing
