#include "cli/workloads/env_values.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/print/go_text.h"
#include "kernel/base/base64.h"
#include "kernel/object/names.h"
#include "kernel/object/quantity.h"

namespace keelson::cli::kube {
namespace {

// "k="v"" a line, in the order of the names.
std::string map_text(const Object& map) {
    std::string text;
    if (map.is_object())
        for (const auto& [name, value] : map.items())
            text += (text.empty() ? "" : "\n") + name + "=" + printing::go_quote(text_at(map, name));
    return text;
}

// metadata.labels['NAME'] as a path and a name.
struct Subscripted {
    std::string path, name;
};
std::optional<Subscripted> subscripted(const std::string& path) {
    const std::size_t begin = path.find("['");
    if (begin == std::string::npos || begin == 0 || !path.ends_with("']")) return std::nullopt;
    return Subscripted{path.substr(0, begin), path.substr(begin + 2, path.size() - begin - 4)};
}

Result<std::string> subscripted_field(const Object& metadata, const std::string& path,
                                      const Subscripted& wanted) {
    const bool is_label = wanted.path == "metadata.labels";
    if (!is_label && wanted.path != "metadata.annotations")
        return fail("fieldPath " + printing::go_quote(path) + " does not support subscript");
    const auto wrong = object::is_qualified_name(is_label ? wanted.name : object::lower_case(wanted.name));
    if (!wrong.empty())
        return fail("invalid key subscript in " + path + ": " + object::join_messages(wrong, ";"));
    return text_at(member(metadata, is_label ? "labels" : "annotations"), wanted.name);
}

Result<std::string> field_value(const Object& object, const std::string& path) {
    const Object& metadata = member(object, "metadata");
    if (const auto wanted = subscripted(path)) return subscripted_field(metadata, path, *wanted);
    for (const char* name : {"labels", "annotations"})
        if (path == std::string("metadata.") + name) return map_text(member(metadata, name));
    for (const char* name : {"name", "namespace", "uid"})
        if (path == std::string("metadata.") + name) return text_at(metadata, name);
    return fail("unsupported fieldPath: " + path);
}

object::Quantity quantity_at(const Object& amounts, const std::string& name) {
    const Object& amount = member(amounts, name);
    const auto quantity =
        object::Quantity::parse(amount.is_string() ? amount.get<std::string>() : amount.dump());
    return quantity ? *quantity : object::Quantity();
}

// How often the divisor is in the amount, rounded up; CPU in thousandths.
Result<std::string> amount_value(const Object& reference, const Object& container) {
    const std::string resource = text_at(reference, "resource");
    const std::size_t dot = resource.find('.');
    const std::string part = resource.substr(0, dot);
    const std::string name = dot == std::string::npos ? "" : resource.substr(dot + 1);
    const bool is_known =
        (part == "limits" || part == "requests") &&
        (name == "cpu" || name == "memory" || name == "ephemeral-storage" || name.starts_with("hugepages-"));
    if (!is_known) return fail("Unsupported container resource : " + resource);
    object::Quantity divisor = quantity_at(reference, "divisor");
    if (divisor.is_zero()) divisor = object::Quantity(1);
    const object::Quantity amount = quantity_at(member(member(container, "resources"), part), name);
    const bool is_milli = name == "cpu";
    const auto above = static_cast<double>(is_milli ? amount.milli_value() : amount.value());
    const auto below = static_cast<double>(is_milli ? divisor.milli_value() : divisor.value());
    return std::to_string(static_cast<std::int64_t>(std::ceil(above / below)));
}

}  // namespace

std::string source_of_value(const Object& value_from) {
    for (const auto& [name, what] :
         {std::pair{"configMapKeyRef", "configmap "}, std::pair{"secretKeyRef", "secret "}})
        if (const Object& reference = member(value_from, name); reference.is_object())
            return what + text_at(reference, "name") + ", key " + text_at(reference, "key");
    if (const Object& field = member(value_from, "fieldRef"); field.is_object())
        return "field path " + text_at(field, "fieldPath");
    const Object& amount = member(value_from, "resourceFieldRef");
    if (!amount.is_object()) return "invalid valueFrom";
    const std::string container = text_at(amount, "containerName");
    return "resource field " + (container.empty() ? "" : container + "/") + text_at(amount, "resource");
}

Result<std::string> EnvValues::value_in(const std::string& plural, const std::string& kind,
                                        const Object& reference) {
    const auto api = session_.api();
    if (!api) return pass_on(api);
    const auto space = session_.namespace_name();
    if (!space) return pass_on(space);
    const std::string name = text_at(reference, "name");
    const std::string path =
        Resource{.version = "v1", .plural = plural, .is_namespaced = true}.path(*space, name);
    if (!read_.contains(path)) {
        auto object = (*api)->ask({.path = path});
        if (!object)
            return fail(object.error().refusal ? object.error().refusal->message : object.error().message);
        read_[path] = std::move(*object);
    }
    const Object& data = member(read_[path], "data");
    const std::string key = text_at(reference, "key");
    if (!data.is_object() || !data.contains(key))
        return fail("key " + key + " not found in " + kind + " " + name);
    if (plural != "secrets") return text_at(data, key);
    auto bytes = base::base64_decode(text_at(data, key));
    if (!bytes) return fail(bytes.error().message());
    return std::move(*bytes);
}

Result<std::string> EnvValues::resolve(const Object& value_from, const Object& object,
                                       const Object& container) {
    if (const Object& reference = member(value_from, "secretKeyRef"); reference.is_object())
        return value_in("secrets", "secret", reference);
    if (const Object& reference = member(value_from, "configMapKeyRef"); reference.is_object())
        return value_in("configmaps", "config map", reference);
    if (const Object& field = member(value_from, "fieldRef"); field.is_object())
        return field_value(object, text_at(field, "fieldPath"));
    if (const Object& amount = member(value_from, "resourceFieldRef"); amount.is_object())
        return amount_value(amount, container);
    return fail("invalid valueFrom");
}

}  // namespace keelson::cli::kube
