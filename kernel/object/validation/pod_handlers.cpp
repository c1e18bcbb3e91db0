#include "kernel/object/validation/parts.h"

namespace keelson::object::validation {

namespace {

void validate_http_get(FieldErrors& errors, const FieldPath& path, Value get) {
    if (get["path"].empty()) errors.required(path.child("path"));
    validate_port_number_or_name(errors, path.child("port"), get["port"]);
    one_of(errors, path.child("scheme"), get["scheme"].as_string(), {"HTTP", "HTTPS"});
    for (Value header : get["httpHeaders"].items())
        if (Messages messages = is_http_header_name(header["name"].as_string()); !messages.empty())
            errors.invalid_each(path.child("httpHeaders"), header["name"].as_string(), messages);
}

void validate_handler(FieldErrors& errors, const FieldPath& path, Value handler, std::int64_t grace_period) {
    int handlers = 0;
    auto first = [&](std::string_view name) {
        if (!handler[name].is_map()) return false;
        if (handlers++ == 0) return true;
        errors.forbidden(path.child(name), "may not specify more than 1 handler type");
        return false;
    };
    if (first("exec") && handler["exec"]["command"].empty()) errors.required(path.child("exec.command"));
    if (first("httpGet")) validate_http_get(errors, path.child("httpGet"), handler["httpGet"]);
    if (first("tcpSocket"))
        validate_port_number_or_name(errors, path.child("tcpSocket.port"), handler["tcpSocket"]["port"]);
    if (first("grpc")) validate_port_number_or_name(errors, path.child("grpc.port"), handler["grpc"]["port"]);
    if (first("sleep")) {
        std::int64_t seconds = handler["sleep"]["seconds"].as_integer();
        if (seconds < 0 || seconds > grace_period)
            errors.invalid(path.child("sleep.seconds"), seconds,
                           "must be non-negative and less than terminationGracePeriodSeconds (" +
                               std::to_string(grace_period) + ")");
    }
    if (handlers == 0) errors.required(path, "must specify a handler type");
}

void validate_probe(FieldErrors& errors, const FieldPath& path, Value probe, std::int64_t grace_period) {
    validate_handler(errors, path, probe, grace_period);
    for (std::string_view name :
         {"initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"})
        not_negative(errors, path.child(name), probe[name]);
    if (Value seconds = probe["terminationGracePeriodSeconds"]; seconds.is_set() && seconds.as_integer() <= 0)
        errors.invalid(path.child("terminationGracePeriodSeconds"), seconds.as_integer(),
                       "must be greater than 0");
}

}  // namespace

void validate_port_number_or_name(FieldErrors& errors, const FieldPath& path, Value port) {
    if (port.is_string()) {
        if (Messages messages = is_port_name(port.as_string()); !messages.empty())
            errors.invalid_each(path, port.as_string(), messages);
    } else if (Messages messages = is_port_number(port.as_integer()); !messages.empty()) {
        errors.invalid_each(path, port.as_integer(), messages);
    }
}

void validate_probes(FieldErrors& errors, const FieldPath& path, Value container, std::int64_t grace_period) {
    auto succeeds_once = [&](const FieldPath& at, Value probe) {
        if (std::int64_t threshold = probe["successThreshold"].as_integer(); threshold != 1)
            errors.invalid(at.child("successThreshold"), threshold, "must be 1");
    };
    if (Value probe = container["livenessProbe"]; probe.is_map()) {
        const FieldPath at = path.child("livenessProbe");
        validate_probe(errors, at, probe, grace_period);
        succeeds_once(at, probe);
    }
    if (Value probe = container["readinessProbe"]; probe.is_map()) {
        const FieldPath at = path.child("readinessProbe");
        validate_probe(errors, at, probe, grace_period);
        if (Value seconds = probe["terminationGracePeriodSeconds"]; seconds.is_set())
            errors.invalid(at.child("terminationGracePeriodSeconds"), seconds.as_integer(),
                           "must not be set for readinessProbes");
    }
    if (Value probe = container["startupProbe"]; probe.is_map()) {
        const FieldPath at = path.child("startupProbe");
        validate_probe(errors, at, probe, grace_period);
        succeeds_once(at, probe);
    }
}

void validate_lifecycle(FieldErrors& errors, const FieldPath& path, Value lifecycle,
                        std::int64_t grace_period) {
    for (std::string_view name : {"postStart", "preStop"})
        if (Value handler = lifecycle[name]; handler.is_map())
            validate_handler(errors, path.child(name), handler, grace_period);
}

}  // namespace keelson::object::validation
