#include "kernel/control/deployment_state.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "kernel/object/accessors/core_v1.h"
#include "kernel/object/accessors/meta_v1.h"
#include "kernel/object/names.h"

namespace keelson::control {
namespace {

using api_types::apps_v1::Deployment;
using api_types::apps_v1::ReplicaSet;
using api_types::core_v1::PodTemplateSpec;
using object::Arena;
using object::MapView;
using object::Value;

// What says "no deadline".
constexpr std::int64_t kNoDeadline = INT32_MAX;
constexpr std::size_t kLongestHistory = 2000;

constexpr std::array kNotCopied = {std::string_view("kubectl.kubernetes.io/last-applied-configuration"),
                                   revision_annotation,
                                   revision_history_annotation,
                                   desired_replicas_annotation,
                                   max_replicas_annotation,
                                   std::string_view("deprecated.deployment.rollback.to")};

std::optional<std::int64_t> number_of(std::string_view text) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return number;
}

Value without_hash(PodTemplateSpec templ, Arena& arena) {
    const Value copy = templ.untyped().clone(arena);
    const Value labels = copy["metadata"]["labels"];
    labels.erase(template_hash_label);
    return copy;
}

bool has_same_template(PodTemplateSpec one, PodTemplateSpec other, Arena& arena) {
    return without_hash(one, arena).equals(without_hash(other, arena));
}

// Ones made at the same second are told apart by name, so that everybody agrees.
bool is_older(const ObjectPointer& one, const ObjectPointer& other) {
    const std::string_view made = replica_set_of(one).metadata().creation_timestamp();
    const std::string_view other_made = replica_set_of(other).metadata().creation_timestamp();
    return made != other_made ? made < other_made : one->key().name < other->key().name;
}

std::int64_t rounded_quotient(std::int64_t numerator, std::int64_t denominator) {
    return std::llround(static_cast<double>(numerator) / static_cast<double>(denominator));
}

// By how much one ReplicaSet changes so that it keeps its part of the whole.
std::int64_t change_in_proportion(Deployment deployment, ReplicaSet replica_set) {
    const std::int64_t wanted = wanted_replicas(deployment);
    const std::int64_t present = wanted_replicas(replica_set);
    if (wanted == 0) return -present;
    const auto before = number_of(replica_set.metadata().annotations()[max_replicas_annotation]);
    const std::int64_t whole_before = before ? *before : deployment.status().replicas();
    if (whole_before == 0) return 0;
    return rounded_quotient(present * (wanted + fenceposts(deployment).surge), whole_before) - present;
}

bool set_annotation(MapView<std::string_view> annotations, std::string_view name, std::string_view value,
                    Arena& arena) {
    if (annotations.has(name) && annotations[name] == value) return false;
    annotations.set(arena, name, value);
    return true;
}

// "1,3": the revisions that it had before, the latest last.
std::string longer_history(std::string_view history, std::string_view revision) {
    std::vector<std::string_view> parts;
    if (!history.empty()) parts = object::split(history, ',');
    parts.push_back(revision);
    std::size_t length = parts.size() - 1;
    for (const std::string_view part : parts) length += part.size();
    while (length > kLongestHistory) {
        length -= parts.front().size() + 1;
        parts.erase(parts.begin());
    }
    std::string text;
    for (const std::string_view part : parts) {
        if (!text.empty()) text += ',';
        text += part;
    }
    return text;
}

}  // namespace

ObjectList DeploymentState::all() const {
    ObjectList result = old;
    if (current) result.push_back(current);
    return result;
}

ObjectList DeploymentState::active() const {
    ObjectList result = all();
    std::erase_if(result,
                  [](const ObjectPointer& object) { return wanted_replicas(replica_set_of(object)) == 0; });
    return result;
}

DeploymentState sort_replica_sets(ObjectPointer deployment, ObjectList replica_sets) {
    DeploymentState state;
    std::ranges::sort(replica_sets, is_older);
    const PodTemplateSpec wanted = deployment_of(deployment).spec().template_();
    Arena arena;
    for (ObjectPointer& replica_set : replica_sets) {
        const PodTemplateSpec templ = replica_set_of(replica_set).spec().template_();
        if (!state.current && has_same_template(templ, wanted, arena))
            state.current = std::move(replica_set);
        else
            state.old.push_back(std::move(replica_set));
    }
    state.deployment = std::move(deployment);
    return state;
}

std::int64_t wanted_replicas(Deployment deployment) {
    return deployment.spec().has_replicas() ? deployment.spec().replicas() : 1;
}
std::int64_t wanted_replicas(ReplicaSet replica_set) {
    return replica_set.spec().has_replicas() ? replica_set.spec().replicas() : 1;
}

bool is_rolling_update(Deployment deployment) {
    return deployment.spec().strategy().type() == "RollingUpdate";
}

bool has_progress_deadline(Deployment deployment) {
    const auto spec = deployment.spec();
    return spec.has_progress_deadline_seconds() && spec.progress_deadline_seconds() != kNoDeadline;
}

std::int64_t scaled_value(Value int_or_percent, std::int64_t total, bool round_up) {
    if (!int_or_percent.is_string()) return int_or_percent.as_integer();
    const std::int64_t percent = object::percent_value(int_or_percent.as_string());
    if (percent < 0) return 0;
    return round_up ? (total * percent + 99) / 100 : total * percent / 100;
}

Fenceposts fenceposts(Deployment deployment) {
    if (!is_rolling_update(deployment)) return {};
    const auto rolling = deployment.spec().strategy().rolling_update();
    const std::int64_t wanted = wanted_replicas(deployment);
    Fenceposts posts{scaled_value(rolling.max_surge(), wanted, true),
                     scaled_value(rolling.max_unavailable(), wanted, false)};
    // Rounding may leave no room to move: then one pod at a time.
    if (posts.surge == 0 && posts.unavailable == 0) posts.unavailable = 1;
    posts.unavailable = std::min(posts.unavailable, wanted);
    return posts;
}

std::int64_t total_wanted(const ObjectList& replica_sets) {
    std::int64_t total = 0;
    for (const ObjectPointer& object : replica_sets) total += wanted_replicas(replica_set_of(object));
    return total;
}
std::int64_t total_replicas(const ObjectList& replica_sets) {
    std::int64_t total = 0;
    for (const ObjectPointer& object : replica_sets) total += replica_set_of(object).status().replicas();
    return total;
}
std::int64_t total_available(const ObjectList& replica_sets) {
    std::int64_t total = 0;
    for (const ObjectPointer& object : replica_sets)
        total += replica_set_of(object).status().available_replicas();
    return total;
}

std::int64_t revision_of(const ObjectPointer& replica_set) {
    return number_of(replica_set_of(replica_set).metadata().annotations()[revision_annotation]).value_or(0);
}

std::int64_t highest_revision(const ObjectList& replica_sets) {
    std::int64_t highest = 0;
    for (const ObjectPointer& object : replica_sets) highest = std::max(highest, revision_of(object));
    return highest;
}

std::int64_t wanted_of_current(const DeploymentState& state, std::int64_t present) {
    const Deployment deployment = deployment_of(state.deployment);
    const std::int64_t wanted = wanted_replicas(deployment);
    if (!is_rolling_update(deployment)) return wanted;
    const std::int64_t most = wanted + fenceposts(deployment).surge;
    const std::int64_t all = total_wanted(state.all());
    if (all >= most) return present;
    return present + std::min(most - all, wanted - present);
}

std::vector<std::int64_t> proportional_sizes(const DeploymentState& state, const ObjectList& active) {
    const Deployment deployment = deployment_of(state.deployment);
    const std::int64_t wanted = wanted_replicas(deployment);
    const std::int64_t allowed = wanted > 0 ? wanted + fenceposts(deployment).surge : 0;
    const std::int64_t to_add = allowed - total_wanted(active);
    // The larger go first; of two equal ones the newer when growing, the older when shrinking.
    std::vector<std::size_t> order(active.size());
    for (std::size_t index = 0; index < order.size(); ++index) order[index] = index;
    std::ranges::stable_sort(order, [&](std::size_t one, std::size_t other) {
        const std::int64_t size = wanted_replicas(replica_set_of(active[one]));
        const std::int64_t other_size = wanted_replicas(replica_set_of(active[other]));
        if (size != other_size) return size > other_size;
        return to_add > 0 ? is_older(active[other], active[one]) : is_older(active[one], active[other]);
    });
    std::vector<std::int64_t> sizes(active.size());
    std::int64_t added = 0;
    for (const std::size_t index : order) {
        const ReplicaSet replica_set = replica_set_of(active[index]);
        sizes[index] = wanted_replicas(replica_set);
        if (to_add == 0 || to_add == added || sizes[index] == 0) continue;
        const std::int64_t change = change_in_proportion(deployment, replica_set);
        const std::int64_t part =
            to_add > 0 ? std::min(change, to_add - added) : std::max(change, to_add - added);
        sizes[index] += part;
        added += part;
    }
    // What rounding left over goes to the largest.
    if (!order.empty() && to_add != 0)
        sizes[order[0]] = std::max<std::int64_t>(0, sizes[order[0]] + to_add - added);
    return sizes;
}

bool set_replica_set_annotations(Deployment deployment, ReplicaSet replica_set, std::int64_t revision,
                                 Arena& arena) {
    const auto annotations = replica_set.make_metadata(arena).make_annotations(arena);
    bool changed = false;
    for (const auto [name, value] : deployment.metadata().annotations())
        if (std::ranges::find(kNotCopied, name) == kNotCopied.end())
            changed |= set_annotation(annotations, name, value, arena);
    const std::string before(annotations[revision_annotation]);
    if (number_of(before).value_or(0) >= revision) return changed;
    annotations.set(arena, revision_annotation, std::to_string(revision));
    if (!before.empty())
        annotations.set(arena, revision_history_annotation,
                        longer_history(annotations[revision_history_annotation], before));
    return true;
}

bool set_size_annotations(Deployment deployment, ReplicaSet replica_set, Arena& arena) {
    const std::int64_t wanted = wanted_replicas(deployment);
    const std::int64_t most = wanted + fenceposts(deployment).surge;
    const auto annotations = replica_set.make_metadata(arena).make_annotations(arena);
    const bool desired_changed =
        set_annotation(annotations, desired_replicas_annotation, std::to_string(wanted), arena);
    const bool most_changed =
        set_annotation(annotations, max_replicas_annotation, std::to_string(most), arena);
    return desired_changed || most_changed;
}

}  // namespace keelson::control
