#include "kernel/node/environment.h"

#include <optional>
#include <utility>

#include "kernel/base/base64.h"
#include "kernel/client/collections.h"
#include "kernel/node/environment_file.h"
#include "kernel/node/service_variables.h"
#include "kernel/node/variable_expansion.h"
#include "kernel/object/accessors/meta_v1.h"
#include "kernel/object/names.h"

namespace keelson::node {
namespace {

namespace core_v1 = api_types::core_v1;
namespace collections = client::collections;

using base::Reason;
using base::Result;
using base::Status;
using base::Task;
using client::ObjectPointer;

// One source of values: what a ConfigMap and a Secret have in common.
struct Source {
    const client::Collection& collection;
    std::string_view kind;
    std::string_view name;
    bool is_optional = false;
};

Result<std::optional<std::string>> value_in(const ObjectPointer& object, std::string_view kind,
                                            std::string_view key) {
    const bool is_secret = kind == "Secret";
    const auto data =
        is_secret ? core_v1::Secret(object->root()).data() : core_v1::ConfigMap(object->root()).data();
    if (!data.has(key)) return std::optional<std::string>();
    if (!is_secret) return std::optional(std::string(data[key]));
    KEELSON_TRY(std::string plain, base::base64_decode(data[key]));
    return std::optional(std::move(plain));
}

class EnvironmentMaker {
  public:
    EnvironmentMaker(const ContainerSurroundings& surroundings, const PodFacts& facts, ObjectCache& objects)
        : surroundings_(surroundings),
          facts_(facts),
          objects_(objects),
          namespace_(facts.pod.metadata().namespace_()),
          container_(find_container(facts.pod, surroundings.container_name)) {}

    Task<Result<Environment>> make() {
        const core_v1::PodSpec spec = facts_.pod.spec();
        const bool has_links = !spec.has_enable_service_links() || spec.enable_service_links();
        services_ = service_variables(surroundings_.services, namespace_, has_links);
        for (const core_v1::EnvFromSource from : container_.env_from()) {
            auto adding = add_all(from);
            const Result<void> added = co_await adding;
            if (!added) co_return added.error();
        }
        for (const core_v1::EnvVar variable : container_.env()) {
            auto resolving = resolve(variable);
            Result<std::optional<std::string>> value = co_await resolving;
            if (!value) co_return value.error();
            if (*value) own_[std::string(variable.name())] = std::move(**value);
        }
        Environment all = std::move(own_);
        all.merge(services_);
        co_return all;
    }

  private:
    // Null when the source is optional and not there.
    Task<Result<ObjectPointer>> find(Source source) {
        auto getting = objects_.get(source.collection, {namespace_, std::string(source.name)},
                                    std::string(surroundings_.pod->uid()));
        Result<ObjectPointer> object = co_await getting;
        const bool is_missing = !object && object.error().reason() == Reason::not_found;
        if (is_missing && source.is_optional) co_return ObjectPointer();
        co_return object;
    }

    static Source source_of(core_v1::EnvFromSource from) {
        if (from.has_config_map_ref())
            return {collections::config_maps, "ConfigMap", from.config_map_ref().name(),
                    from.config_map_ref().optional()};
        return {collections::secrets, "Secret", from.secret_ref().name(), from.secret_ref().optional()};
    }

    Task<Result<void>> add_all(core_v1::EnvFromSource from) {
        const Source source = source_of(from);
        auto finding = find(source);
        const Result<ObjectPointer> object = co_await finding;
        if (!object) co_return object.error();
        if (!*object) co_return base::ok();
        const bool is_secret = source.kind == "Secret";
        const auto data = is_secret ? core_v1::Secret((*object)->root()).data()
                                    : core_v1::ConfigMap((*object)->root()).data();
        for (const auto& [key, text] : data) {
            std::string name = std::string(from.prefix()) + std::string(key);
            if (!object::is_relaxed_environment_name(name).empty()) continue;
            const auto value = value_in(*object, source.kind, key);
            if (!value) co_return value.error();
            own_[std::move(name)] = **value;
        }
        co_return base::ok();
    }

    // None: the variable is left out.
    Task<Result<std::optional<std::string>>> resolve(core_v1::EnvVar variable) {
        using Found = std::optional<std::string>;
        if (!variable.value().empty() || !variable.has_value_from())
            co_return Found(expand(variable.value()));
        const core_v1::EnvVarSource from = variable.value_from();
        if (from.has_config_map_key_ref()) {
            const auto ref = from.config_map_key_ref();
            const Source source{collections::config_maps, "ConfigMap", ref.name(), ref.optional()};
            auto looking = value_of_key(source, ref.key());
            co_return co_await looking;
        }
        if (from.has_secret_key_ref()) {
            const auto ref = from.secret_key_ref();
            const Source source{collections::secrets, "Secret", ref.name(), ref.optional()};
            auto looking = value_of_key(source, ref.key());
            co_return co_await looking;
        }
        if (from.has_file_key_ref()) {
            auto reading = value_in_file(from.file_key_ref());
            co_return co_await reading;
        }
        Result<std::string> text = from.has_resource_field_ref()
                                       ? resource_field(facts_, from.resource_field_ref(), container_)
                                       : pod_field(facts_, from.field_ref().field_path());
        if (!text) co_return text.error();
        co_return Found(std::move(*text));
    }

    Task<Result<std::optional<std::string>>> value_of_key(Source source, std::string_view key) {
        auto finding = find(source);
        const Result<ObjectPointer> object = co_await finding;
        if (!object) co_return object.error();
        if (!*object) co_return std::optional<std::string>();
        auto value = value_in(*object, source.kind, key);
        const bool is_missing = value && !*value && !source.is_optional;
        if (is_missing)
            co_return Status(Reason::bad_request, "couldn't find key " + std::string(key) + " in " +
                                                      std::string(source.kind) + " " + namespace_ + "/" +
                                                      std::string(source.name));
        co_return value;
    }

    Task<Result<std::optional<std::string>>> value_in_file(core_v1::FileKeySelector selector) {
        const auto volume = surroundings_.volumes.find(std::string(selector.volume_name()));
        if (volume == surroundings_.volumes.end())
            co_return Status(Reason::bad_request, "cannot find the volume \"" +
                                                      std::string(selector.volume_name()) +
                                                      "\" referenced by FileKeyRef");
        auto read = [directory = volume->second.path, path = std::string(selector.path()),
                     key = std::string(selector.key()), is_optional = selector.optional()] {
            return variable_in_file(directory, path, key, is_optional);
        };
        auto reading = base::blocking(std::move(read));
        co_return co_await reading;
    }

    [[nodiscard]] std::string expand(std::string_view text) const {
        return expand_variables(text, [this](std::string_view name) -> std::optional<std::string> {
            const std::string wanted(name);
            if (const auto found = own_.find(wanted); found != own_.end()) return found->second;
            if (const auto found = services_.find(wanted); found != services_.end()) return found->second;
            return std::nullopt;
        });
    }

    const ContainerSurroundings& surroundings_;
    const PodFacts& facts_;
    ObjectCache& objects_;
    std::string namespace_;
    core_v1::Container container_;
    Environment own_;
    Environment services_;
};

}  // namespace

Task<Result<Environment>> environment_of(const ContainerSurroundings& surroundings, const PodFacts& facts,
                                         ObjectCache& objects) {
    EnvironmentMaker maker(surroundings, facts, objects);
    auto making = maker.make();
    co_return co_await making;
}

}  // namespace keelson::node
