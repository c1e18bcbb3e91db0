#include "kernel/node/container_settings.h"

#include <utility>

#include "kernel/node/environment.h"
#include "kernel/node/mount_settings.h"
#include "kernel/node/pod_references.h"
#include "kernel/node/security_settings.h"
#include "kernel/node/variable_expansion.h"
#include "kernel/object/quantity.h"

namespace keelson::node {
namespace {

namespace core_v1 = api_types::core_v1;

using base::Result;
using base::Task;

std::vector<std::string> expanded(object::ListView<std::string_view> words, const Environment& environment) {
    std::vector<std::string> result;
    for (const std::string_view word : words)
        result.push_back(expand_variables(word, [&](std::string_view name) -> std::optional<std::string> {
            const auto found = environment.find(std::string(name));
            if (found == environment.end()) return std::nullopt;
            return found->second;
        }));
    return result;
}

std::int64_t memory_bytes_of(core_v1::Node node) {
    const auto memory = object::Quantity::parse(node.status().capacity()["memory"]);
    return memory ? memory->value() : 0;
}

ContainerConfig config_of(core_v1::Container container, const Environment& environment) {
    ContainerConfig config;
    config.name = container.name();
    config.command = expanded(container.command(), environment);
    config.arguments = expanded(container.args(), environment);
    config.working_directory = container.working_dir();
    config.environment.reserve(environment.size());
    for (const auto& [name, value] : environment) config.environment.push_back({name, value});
    config.has_terminal = container.tty();
    config.has_standard_input = container.stdin();
    config.has_standard_input_once = container.stdin_once();
    return config;
}

}  // namespace

Task<Result<ContainerConfig>> container_config(const ContainerSurroundings& surroundings,
                                               ObjectCache& objects) {
    const core_v1::Pod pod(surroundings.pod->root());
    const core_v1::Node node(surroundings.node ? surroundings.node->root() : object::Value());
    const PodFacts facts{pod, node, surroundings.pod_addresses, surroundings.host_addresses};
    const core_v1::Container container = find_container(pod, surroundings.container_name);

    auto making = environment_of(surroundings, facts, objects);
    const Result<Environment> environment = co_await making;
    if (!environment) co_return environment.error();
    ContainerConfig config = config_of(container, *environment);
    KEELSON_CO_TRY(config.security,
                   security_of(pod, container, surroundings.image_user, surroundings.seccomp_directory));
    config.limits = container_limits(container.untyped(), pod.untyped(), memory_bytes_of(node));
    KEELSON_CO_TRY(MountPlan plan, plan_mounts(surroundings, *environment));
    auto work = [plan = std::move(plan)] { return make_mounts(plan); };
    auto mounting = base::blocking(std::move(work));
    Result<std::vector<Mount>> mounts = co_await mounting;
    if (!mounts) co_return mounts.error();
    config.mounts = std::move(*mounts);
    co_return config;
}

}  // namespace keelson::node
