// Defaults of the parts that several kinds share.
#pragma once

#include "kernel/object/value.h"

namespace keelson::object::defaults {

// Sets a member that is absent or has the zero value ("" or 0).
inline void set_text(Value object, Arena& arena, std::string_view name, std::string_view text) {
    if (object[name].as_string().empty()) object.set(arena, name, Value::reference(text));
}
inline void set_number(Value object, Arena& arena, std::string_view name, std::int64_t number) {
    if (object[name].as_integer() == 0) object.set(arena, name, Value::integer(number));
}
// Sets a member that is absent (a pointer in Go).
inline void set_absent(Value object, Arena& arena, std::string_view name, Value value) {
    if (object[name].is_unset()) object.set(arena, name, value);
}

// Quantities finer than a thousandth are rounded up to thousandths.
void resource_list(Value list, Arena& arena);
void resource_requirements(Value resources, Arena& arena);
void pod_spec(Value spec, Arena& arena);
void pod(Value pod, Arena& arena);
// The metadata and spec of a PodTemplateSpec.
inline void pod_template(Value pod_template, Arena& arena) {
    if (pod_template.is_map()) pod_spec(pod_template.child_map(arena, "spec"), arena);
}
void volume(Value volume, Arena& arena);
void claim_spec(Value spec, Arena& arena);
void claim(Value claim, Arena& arena);
void persistent_volume_source(Value spec, Arena& arena);

// By kind.
void deployment(Value object, Arena& arena);
void daemon_set(Value object, Arena& arena);
void stateful_set(Value object, Arena& arena);
void replica_set(Value object, Arena& arena);
void replication_controller(Value object, Arena& arena);
void job(Value object, Arena& arena);
void cron_job(Value object, Arena& arena);
void horizontal_pod_autoscaler_v1(Value object, Arena& arena);
void horizontal_pod_autoscaler_v2(Value object, Arena& arena);
void service(Value object, Arena& arena);

}  // namespace keelson::object::defaults
