#include "kernel/plugin/manifest.h"

#include <algorithm>
#include <array>

#include "kernel/plugin/settings_reader.h"
#include "kernel/plugin/yaml_json.h"

namespace keelson::plugin {
namespace {

using base::Reason;
using base::Result;
using base::Status;
using base::yaml::fail;
using base::yaml::flag_into;
using base::yaml::number_into;
using base::yaml::read_object;
using base::yaml::text_into;
using base::yaml::texts_into;

constexpr std::array<std::string_view, 5> kKinds = {"volume", "network", "runtime", "ingress", "auth"};
constexpr std::array<std::string_view, 3> kVerbs = {"get", "list", "watch"};
constexpr std::size_t kNameLimit = 40;

bool consists_of(std::string_view text, std::string_view extra) {
    return !text.empty() && std::ranges::all_of(text, [&](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || extra.find(c) != std::string_view::npos;
    });
}

bool is_sha256(std::string_view text) {
    return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

void read_privileges(const YAML::Node& node, Privileges& privileges) {
    read_object(node, "'privileges'",
                {{"capabilities", texts_into(privileges.capabilities)},
                 {"seccomp", [&](const YAML::Node& value, const std::string& key) {
                      const auto mode = base::yaml::scalar<std::string>(value, key, "default or unconfined");
                      if (mode != "default" && mode != "unconfined")
                          fail(value, "'seccomp' must be default or unconfined");
                      privileges.seccomp = mode == "default";
                  }}});
}

}  // namespace

void read_objects(const YAML::Node& node, std::vector<ObjectAccess>& objects) {
    if (!node.IsSequence()) fail(node, "'objects' must be a list");
    for (const auto& item : node) {
        ObjectAccess& access = objects.emplace_back();
        read_object(item, "an entry of 'objects'",
                    {{"apiVersion", text_into(access.api_version)},
                     {"resource", text_into(access.resource)},
                     {"verbs", texts_into(access.verbs)}});
        if (access.api_version.empty() || access.resource.empty())
            fail(item, "an entry of 'objects' needs an 'apiVersion' and a 'resource'");
        for (const std::string& verb : access.verbs)
            if (std::ranges::find(kVerbs, verb) == kVerbs.end())
                fail(item, "'verbs' must be of get, list and watch, not '" + verb + "'");
        if (access.verbs.empty()) access.verbs.assign(kVerbs.begin(), kVerbs.end());
    }
}

namespace {

void read_manifest(const YAML::Node& document, Manifest& manifest) {
    read_object(document, "the manifest",
                {{"id", text_into(manifest.id)},
                 {"name", text_into(manifest.name)},
                 {"kind", text_into(manifest.kind)},
                 {"version", text_into(manifest.version)},
                 {"library", text_into(manifest.library)},
                 {"description", text_into(manifest.description)},
                 {"sha256", text_into(manifest.sha256)},
                 {"capabilities", texts_into(manifest.capabilities)},
                 {"requires", texts_into(manifest.requires_plugins)},
                 {"orphanGraceSeconds", number_into(manifest.orphan_grace_seconds, 0, 31'536'000)},
                 {"abi",
                  [&](const YAML::Node& value, const std::string&) {
                      read_object(value, "'abi'",
                                  {{"minimum", number_into(manifest.abi_minimum, 1, 1000)},
                                   {"maximum", number_into(manifest.abi_maximum, 1, 1000)}});
                  }},
                 {"configSchema",
                  [&](const YAML::Node& value, const std::string&) {
                      Lines lines;
                      if (!value.IsMap()) fail(value, "'configSchema' must be a JSON Schema");
                      manifest.config_schema = to_json(value, lines);
                  }},
                 {"limits",
                  [&](const YAML::Node& value, const std::string&) { read_limits(value, manifest.limits); }},
                 {"privileges", [&](const YAML::Node& value,
                                    const std::string&) { read_privileges(value, manifest.privileges); }},
                 {"objects", [&](const YAML::Node& value, const std::string&) {
                      read_objects(value, manifest.objects);
                  }}});
}

Result<void> check(const Manifest& manifest) {
    auto wrong = [](std::string what) { return Status(Reason::bad_request, std::move(what)); };
    if (!consists_of(manifest.name, "-") || manifest.name.front() == '-' || manifest.name.size() > kNameLimit)
        return wrong("'name' must consist of at most 40 characters a-z, 0-9 and '-'");
    if (!consists_of(manifest.id, "-.") || manifest.id.find('.') == std::string::npos)
        return wrong("'id' must be a reversed domain name like com.example." + manifest.name);
    if (std::ranges::find(kKinds, manifest.kind) == kKinds.end())
        return wrong("'kind' must be volume, network, runtime, ingress or auth");
    if (manifest.version.empty()) return wrong("'version' is missing");
    if (manifest.capabilities.empty())
        return wrong("'capabilities' must name what the plugin can do, for example keelson.volume/0");
    if (manifest.library.empty() || manifest.library.find('/') != std::string::npos ||
        manifest.library.front() == '.')
        return wrong("'library' must be the name of a file beside the manifest");
    if (!manifest.sha256.empty() && !is_sha256(manifest.sha256))
        return wrong("'sha256' must be 64 hexadecimal digits");
    if (manifest.abi_minimum > manifest.abi_maximum) return wrong("'abi': minimum is above maximum");
    return base::ok();
}

}  // namespace

std::string_view isolation_text(Isolation isolation) {
    return isolation == Isolation::process ? "process" : "in-process";
}

void read_limits(const YAML::Node& node, Limits& limits) {
    constexpr std::int64_t kMegabyte = 1 << 20;
    read_object(node, "'limits'",
                {{"concurrentCalls", number_into(limits.concurrent_calls, 1, 256)},
                 {"callTimeoutSeconds", number_into(limits.call_timeout_ms, 1, 3600, 1000)},
                 {"memoryMegabytes", number_into(limits.memory_bytes, 0, 1 << 20, kMegabyte)},
                 {"cpuMillis", number_into(limits.cpu_millis, 0, 1'000'000)},
                 {"processes", number_into(limits.processes, 0, 1'000'000)}});
}

Result<Manifest> parse_manifest(const std::string& yaml) {
    Manifest manifest;
    try {
        const YAML::Node document = YAML::Load(yaml);
        if (!document.IsMap()) return Status(Reason::bad_request, "the manifest must be a YAML object");
        read_manifest(document, manifest);
    } catch (const base::yaml::SettingsError& error) {
        return Status(Reason::bad_request, error.message);
    } catch (const YAML::Exception& error) {
        return Status(Reason::bad_request, "line " + std::to_string(error.mark.line + 1) + ": " + error.msg);
    }
    if (manifest.library.empty()) manifest.library = manifest.name + ".so";
    KEELSON_TRY_VOID(check(manifest));
    return manifest;
}

}  // namespace keelson::plugin
