#include "kernel/plugin/generation.h"

#include <unistd.h>

#include "kernel/base/log.h"
#include "kernel/plugin/library_file.h"
#include "kernel/plugin/messages.h"
#include "kernel/plugin/schema_check.h"
#include "kernel/plugin/signature.h"

namespace keelson::plugin {
namespace {

using base::Reason;
using base::Result;
using base::Status;

constexpr std::size_t kManifestLimitBytes = 1 << 20;

std::string directory_of(const std::string& path) {
    return path.substr(0, path.rfind('/'));
}

Result<void> check_config(const Plan& plan, const std::map<std::string, int>& lines) {
    const std::string& schema = plan.manifest.config_schema;
    if (schema.empty()) {
        if (plan.config == "{}") return base::ok();
        return Status(Reason::bad_request,
                      "the plugin takes no configuration: its manifest has no configSchema");
    }
    return check_against_schema(schema, plan.config, lines);
}

LaunchSettings launch_settings(const HostSettings& settings, const Plan& plan, const Generation& generation) {
    LaunchSettings launch;
    launch.program = settings.host_program;
    launch.run_directory = settings.state_directory + "/run";
    launch.name = plan.manifest.name;
    launch.library = generation.library_copy;
    launch.id = plan.manifest.id;
    launch.version = plan.manifest.version;
    launch.sha256 = generation.sha256;
    launch.state_directory = settings.state_directory + "/state/" + plan.manifest.name;
    launch.node_name = settings.node_name;
    launch.limits = plan.limits;
    launch.privileges = plan.manifest.privileges;
    launch.checks_documents = settings.check_documents;
    launch.orphan_grace_seconds = plan.manifest.orphan_grace_seconds;
    return launch;
}

// One that an earlier kernel has left behind and that is just what is wanted now.
std::shared_ptr<RemoteInstance> adopt(const LaunchSettings& launch, const Plan& plan,
                                      const HostServices& services, base::Executor& executor) {
    std::shared_ptr<RemoteInstance> chosen;
    for (auto& instance : find_instances(launch, services, executor)) {
        const Hello& hello = instance->hello();
        const bool fits = !chosen && hello.started && hello.id == launch.id &&
                          hello.version == launch.version && hello.sha256 == launch.sha256 &&
                          hello.config == plan.config && hello.node_name == launch.node_name;
        if (fits)
            chosen = std::move(instance);
        else
            instance->leave();
    }
    return chosen;
}

Result<void> check_library(const Plan& plan, const PrivateCopy& copy) {
    if (!plan.expected_sha256.empty() && plan.expected_sha256 != copy.sha256)
        return Status(Reason::forbidden, plan.library_path + " has the SHA-256 " + copy.sha256 + ", but " +
                                             plan.expected_sha256 + " is expected");
    if (!copy.extra_symbols.empty() && plan.isolation == Isolation::in_process)
        return Status(Reason::forbidden, plan.library_path + " exports more than keelson_plugin (" +
                                             copy.extra_symbols.front() +
                                             "): build it with the SDK's version script, or run it isolated");
    return base::ok();
}

}  // namespace

Result<Plan> make_plan(const PluginSettings& settings, const std::string& manifest_path,
                       std::uint32_t trusted_user) {
    Plan plan;
    plan.manifest_path = manifest_path;
    KEELSON_TRY(const std::string yaml, read_trusted(manifest_path, trusted_user, kManifestLimitBytes));
    auto manifest = parse_manifest(yaml);
    if (!manifest) return std::move(manifest).error().with_context(manifest_path + ": ");
    plan.manifest = std::move(*manifest);
    plan.manifest_sha256 = sha256_of(yaml);
    if (plan.manifest.name != settings.name)
        return Status(Reason::bad_request, manifest_path + " is the manifest of '" + plan.manifest.name +
                                               "', not of '" + settings.name + "'");
    plan.library_path = directory_of(manifest_path) + "/" + plan.manifest.library;
    if (!settings.sha256.empty() && !plan.manifest.sha256.empty() && settings.sha256 != plan.manifest.sha256)
        return Status(Reason::forbidden, manifest_path +
                                             ": the manifest and the configuration name different "
                                             "SHA-256 sums for the library");
    plan.expected_sha256 = settings.sha256.empty() ? plan.manifest.sha256 : settings.sha256;
    plan.config = settings.config.empty() ? "{}" : normalized_json(settings.config);
    plan.isolation = settings.isolation.value_or(Isolation::process);
    plan.limits = settings.limits.value_or(plan.manifest.limits);
    auto checked = check_config(plan, settings.config_lines);
    if (!checked) return std::move(checked).error();
    return plan;
}

std::shared_ptr<ObjectsBroker> make_broker(const LoadEnvironment& environment, const Plan& plan,
                                           std::vector<ObjectAccess> accepted) {
    if (!environment.settings.objects) return nullptr;
    return std::make_shared<ObjectsBroker>(*environment.settings.objects, environment.executor,
                                           plan.manifest.name, plan.manifest.objects, std::move(accepted));
}

Generation::~Generation() {
    if (!library_copy.empty()) ::unlink(library_copy.c_str());
}

namespace {

Result<void> make_instance(const LoadEnvironment& environment, Generation& generation, HostServices services,
                           bool may_adopt) {
    const Plan& plan = generation.plan;
    const LaunchSettings launch = launch_settings(environment.settings, plan, generation);
    KEELSON_TRY_VOID(base::make_directory(launch.state_directory, 0700));
    services.state_directory = launch.state_directory;
    services.node_name = launch.node_name;
    if (plan.isolation == Isolation::in_process) {
        KEELSON_TRY(generation.instance,
                    make_local_instance(generation.library_copy, plan.manifest.id, plan.manifest.version,
                                        std::move(services), environment.executor));
        return base::ok();
    }
    if (may_adopt) generation.remote = adopt(launch, plan, services, environment.executor);
    generation.is_started = generation.remote != nullptr;
    if (!generation.remote) {
        KEELSON_TRY(generation.remote, launch_instance(launch, std::move(services), environment.executor));
    }
    generation.instance = generation.remote;
    return base::ok();
}

}  // namespace

Result<std::shared_ptr<Generation>> load_generation(const LoadEnvironment& environment, const Plan& plan,
                                                    HostServices services, bool may_adopt) {
    const HostSettings& settings = environment.settings;
    for (const char* directory : {"/run", "/libraries", "/state"})
        KEELSON_TRY_VOID(base::make_directory(settings.state_directory + directory, 0700));
    KEELSON_TRY(PrivateCopy copy, copy_library(plan.library_path, settings.state_directory + "/libraries",
                                               settings.trusted_user));
    auto generation = std::make_shared<Generation>();
    generation->plan = plan;
    generation->library_copy = copy.path;
    generation->sha256 = copy.sha256;
    KEELSON_TRY_VOID(check_library(plan, copy));
    KEELSON_TRY_VOID(check_signature(settings, {.id = plan.manifest.id,
                                                .manifest_path = plan.manifest_path,
                                                .manifest_sha256 = plan.manifest_sha256,
                                                .library_path = plan.library_path,
                                                .library_sha256 = copy.sha256}));
    KEELSON_TRY_VOID(make_instance(environment, *generation, std::move(services), may_adopt));
    return generation;
}

Result<std::shared_ptr<Generation>> renew_generation(const LoadEnvironment& environment, Generation& old,
                                                     HostServices services) {
    auto generation = std::make_shared<Generation>();
    generation->plan = old.plan;
    generation->sha256 = old.sha256;
    generation->library_copy = std::exchange(old.library_copy, {});
    KEELSON_TRY_VOID(make_instance(environment, *generation, std::move(services), false));
    return generation;
}

}  // namespace keelson::plugin
