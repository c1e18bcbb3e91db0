#include "kernel/control/stateful_pods.h"

#include <algorithm>
#include <charconv>

#include "kernel/control/controller_history.h"
#include "kernel/control/pod_state.h"
#include "kernel/control/pod_writes.h"
#include "kernel/object/accessors/meta_v1.h"

namespace keelson::control {
namespace {

using api_types::apps_v1::StatefulSet;
using api_types::core_v1::PersistentVolumeClaim;
using api_types::core_v1::Pod;
using api_types::core_v1::Volume;
using object::Arena;
using object::Value;

constexpr std::string_view kPodNameLabel = "statefulset.kubernetes.io/pod-name";
constexpr std::string_view kPodIndexLabel = "apps.kubernetes.io/pod-index";
constexpr std::string_view kRevisionLabel = "controller-revision-hash";

// A volume for each claim; they come before, and instead of, the template's own of the same name.
void put_volumes(StatefulSet set, Pod pod, std::int64_t ordinal, Arena& arena) {
    const auto templates = set.spec().volume_claim_templates();
    if (templates.empty()) return;
    const Value volumes = Value::list(arena);
    for (const PersistentVolumeClaim claim : templates) {
        const Volume volume(Value::map(arena));
        const std::string_view name = claim.metadata().name();
        volume.set_name(arena, name);
        volume.make_persistent_volume_claim(arena).set_claim_name(
            arena, stateful_claim_name(name, set.metadata().name(), ordinal));
        volumes.push_back(arena, volume.untyped());
    }
    for (const Volume volume : pod.spec().volumes()) {
        const bool is_replaced = std::any_of(templates.begin(), templates.end(), [&](const auto claim) {
            return claim.metadata().name() == volume.name();
        });
        if (!is_replaced) volumes.push_back(arena, volume.untyped());
    }
    pod.spec().untyped().set(arena, "volumes", volumes);
}

}  // namespace

Ordinals ordinals_of(StatefulSet set) {
    const auto spec = set.spec();
    const std::int64_t start = spec.ordinals().start();
    return {start, start + (spec.has_replicas() ? spec.replicas() : 1)};
}

std::optional<std::int64_t> ordinal_of(std::string_view set_name, std::string_view pod_name) {
    const std::size_t dash = pod_name.rfind('-');
    if (dash == std::string_view::npos || pod_name.substr(0, dash) != set_name) return std::nullopt;
    const std::string_view digits = pod_name.substr(dash + 1);
    std::int32_t ordinal = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), ordinal);
    if (digits.empty() || digits[0] == '-' || error != std::errc() || end != digits.data() + digits.size())
        return std::nullopt;
    // "web-01" is not the name that "web-1" has.
    if (digits.size() > 1 && digits[0] == '0') return std::nullopt;
    return ordinal;
}

std::string stateful_pod_name(std::string_view set_name, std::int64_t ordinal) {
    return std::string(set_name) + "-" + std::to_string(ordinal);
}

std::string stateful_claim_name(std::string_view template_name, std::string_view set_name,
                                std::int64_t ordinal) {
    return std::string(template_name) + "-" + stateful_pod_name(set_name, ordinal);
}

std::vector<PersistentVolumeClaim> claims_of_pod(StatefulSet set, std::int64_t ordinal, Arena& arena) {
    std::vector<PersistentVolumeClaim> claims;
    for (const PersistentVolumeClaim templ : set.spec().volume_claim_templates()) {
        const PersistentVolumeClaim claim(templ.untyped().clone(arena));
        const auto metadata = claim.make_metadata(arena);
        metadata.set_name(arena,
                          stateful_claim_name(templ.metadata().name(), set.metadata().name(), ordinal));
        metadata.set_namespace(arena, set.metadata().namespace_());
        metadata.clear_labels();
        for (const auto [name, value] : set.spec().selector().match_labels())
            metadata.make_labels(arena).set(arena, name, value);
        claim.clear_status();
        claims.push_back(claim);
    }
    return claims;
}

Pod make_stateful_pod(StatefulSet set, const ObjectPointer& revision, std::int64_t ordinal, Arena& arena) {
    const Pod pod = pod_from_template(set.untyped(), template_of_revision(revision), arena);
    const std::string name = stateful_pod_name(set.metadata().name(), ordinal);
    const auto metadata = pod.make_metadata(arena);
    metadata.set_name(arena, name);
    put_identity(pod, ordinal, arena);
    metadata.make_labels(arena).set(arena, kRevisionLabel, revision->key().name);
    const auto spec = pod.make_spec(arena);
    spec.set_hostname(arena, name);
    spec.set_subdomain(arena, set.spec().service_name());
    put_volumes(set, pod, ordinal, arena);
    return pod;
}

bool has_identity(Pod pod, std::int64_t ordinal) {
    const auto labels = pod.metadata().labels();
    return labels[kPodNameLabel] == pod.metadata().name() &&
           labels[kPodIndexLabel] == std::to_string(ordinal);
}

void put_identity(Pod pod, std::int64_t ordinal, Arena& arena) {
    const auto labels = pod.make_metadata(arena).make_labels(arena);
    labels.set(arena, kPodNameLabel, pod.metadata().name());
    labels.set(arena, kPodIndexLabel, std::to_string(ordinal));
}

std::string_view revision_name_of(Pod pod) {
    return pod.metadata().labels()[kRevisionLabel];
}

bool is_running_and_ready(Pod pod) {
    return pod.status().phase() == "Running" && is_ready(pod);
}

bool is_running_and_available(Pod pod, std::int64_t min_ready_seconds, base::WallTime now) {
    return pod.status().phase() == "Running" && is_available(pod, min_ready_seconds, now);
}

}  // namespace keelson::control
