// What pods ask for and may have.
#include <nlohmann/json.hpp>

#include "cli/describe/parts.h"

namespace keelson::cli::describing {
namespace {

object::Quantity of_container(const Json& container, std::string_view which, const std::string& resource) {
    return quantity(at(container, {"resources", which, resource}));
}

bool is_sidecar(const Json& container) {
    return text(container, {"restartPolicy"}) == "Always";
}

}  // namespace

object::Quantity quantity(const Json& value) {
    const auto parsed = object::Quantity::parse(text(value));
    return parsed ? *parsed : object::Quantity();
}

// The containers together, or what an init container needs beside the sidecars before it, if that is more.
object::Quantity pod_amount(const Json& pod, std::string_view which, const std::string& resource) {
    object::Quantity sum;
    for (const Json& container : at(pod, {"spec", "containers"}))
        sum.add(of_container(container, which, resource));
    object::Quantity sidecars, most;
    for (const Json& container : at(pod, {"spec", "initContainers"})) {
        object::Quantity needs = of_container(container, which, resource);
        if (is_sidecar(container)) sum.add(needs);
        needs.add(sidecars);
        if (is_sidecar(container)) sidecars = needs;
        if (needs > most) most = needs;
    }
    if (most > sum) sum = most;
    const auto overhead = quantity(at(pod, {"spec", "overhead", resource}));
    if (which == "requests" || !sum.is_zero()) sum.add(overhead);
    return sum;
}

}  // namespace keelson::cli::describing
