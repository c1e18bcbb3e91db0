#include "documents.h"

#include <sys/utsname.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "digest.h"
#include "keelson/error.hpp"

namespace keelson::oci {
namespace {

using Json = nlohmann::json;

Json parse(std::string_view bytes, std::size_t limit, const std::string& what) {
    if (bytes.size() > limit)
        throw Error(Code::invalid, what + " is longer than " + std::to_string(limit) + " bytes");
    Json json = Json::parse(bytes, nullptr, false);
    if (!json.is_object()) throw Error(Code::invalid, what + " is no JSON object");
    return json;
}

const Json& member(const Json& json, const char* name) {
    static const Json none;
    if (!json.is_object()) return none;
    const auto found = json.find(name);
    return found == json.end() ? none : *found;
}

std::string text(const Json& json, const char* name) {
    const Json& value = member(json, name);
    return value.is_string() ? value.get<std::string>() : std::string();
}

std::vector<std::string> texts(const Json& list) {
    std::vector<std::string> values;
    if (list.is_array())
        for (const Json& value : list)
            if (value.is_string()) values.push_back(value.get<std::string>());
    return values;
}

Platform platform_of(const Json& json) {
    return {text(json, "os"), text(json, "architecture"), text(json, "variant")};
}

Content content_of(const Json& json, const std::string& what, std::uint64_t limit) {
    Content content;
    content.media_type = text(json, "mediaType");
    content.digest = text(json, "digest");
    require_digest(content.digest, "the digest of " + what);
    const Json& size = member(json, "size");
    if (!size.is_number_unsigned() || size.get<std::uint64_t>() > limit)
        throw Error(Code::invalid,
                    "the size of " + what + " must be a number up to " + std::to_string(limit));
    content.size = size.get<std::uint64_t>();
    content.platform = platform_of(member(json, "platform"));
    const Json& annotations = member(json, "annotations");
    if (annotations.is_object())
        for (const auto& [name, value] : annotations.items())
            if (value.is_string()) content.annotations[name] = value.get<std::string>();
    return content;
}

std::vector<Content> contents_of(const Json& list, const std::string& what, std::size_t count,
                                 std::uint64_t limit) {
    if (!list.is_array() || list.size() > count)
        throw Error(Code::invalid,
                    "a manifest must have a list of at most " + std::to_string(count) + " for " + what);
    std::vector<Content> contents;
    for (const Json& entry : list) contents.push_back(content_of(entry, what, limit));
    return contents;
}

std::vector<std::string> diff_ids_of(const Json& json, const Limits& limits) {
    std::vector<std::string> ids = texts(member(member(json, "rootfs"), "diff_ids"));
    if (ids.size() > limits.layers)
        throw Error(Code::invalid,
                    "an image must not have more than " + std::to_string(limits.layers) + " layers");
    for (const std::string& id : ids) require_digest(id, "a diff_id of the image's config");
    return ids;
}

std::string machine_architecture(const std::string& machine) {
    static const std::map<std::string, std::string> names = {
        {"x86_64", "amd64"}, {"aarch64", "arm64"}, {"armv7l", "arm"},     {"armv6l", "arm"},
        {"i686", "386"},     {"i386", "386"},      {"mips64", "mips64le"}};
    const auto found = names.find(machine);
    return found == names.end() ? machine : found->second;
}

std::string known_variant(const Platform& platform) {
    if (!platform.variant.empty()) return platform.variant;
    return platform.architecture == "arm64" ? "v8" : platform.architecture == "arm" ? "v7" : "v1";
}

constexpr std::size_t maximum_index_entries = 1000;

}  // namespace

Platform this_platform() {
    utsname names{};
    ::uname(&names);
    const std::string machine = names.machine;
    return {"linux", machine_architecture(machine),
            machine == "armv6l"   ? "v6"
            : machine == "armv7l" ? "v7"
                                  : ""};
}

bool runs_on(const Platform& image, const Platform& machine) {
    return image.system == machine.system && image.architecture == machine.architecture &&
           known_variant(image) <= known_variant(machine);
}

Manifest parse_manifest(std::string_view bytes, const Limits& limits) {
    const Json json = parse(bytes, limits.manifest_bytes, "the manifest");
    Manifest manifest;
    manifest.is_index = member(json, "manifests").is_array();
    if (manifest.is_index == member(json, "config").is_object())
        throw Error(
            Code::invalid,
            "the manifest is of no kind that can be run: it needs either \"config\" and \"layers\" or "
            "\"manifests\"; images of Docker schema 1 must be pushed again by a newer tool");
    if (manifest.is_index) {
        manifest.manifests = contents_of(member(json, "manifests"), "a manifest of the index",
                                         maximum_index_entries, limits.manifest_bytes);
        return manifest;
    }
    manifest.config = content_of(member(json, "config"), "the config", limits.config_bytes);
    manifest.layers = contents_of(member(json, "layers"), "a layer", limits.layers, limits.blob_bytes);
    return manifest;
}

Config parse_config(std::string_view bytes, const Limits& limits) {
    const Json json = parse(bytes, limits.config_bytes, "the image's config");
    Config config;
    config.diff_ids = diff_ids_of(json, limits);
    config.platform = platform_of(json);
    const Json& said = member(json, "config");
    config.image.entrypoint = texts(member(said, "Entrypoint"));
    config.image.command = texts(member(said, "Cmd"));
    config.image.environment = texts(member(said, "Env"));
    config.image.working_directory = text(said, "WorkingDir");
    config.image.user = text(said, "User");
    config.image.stop_signal = text(said, "StopSignal");
    const Json& volumes = member(said, "Volumes");
    if (volumes.is_object())
        for (const auto& [path, nothing] : volumes.items()) config.image.volumes.push_back(path);
    return config;
}

const Content& choose_manifest(const Manifest& index, const Platform& platform) {
    const Content* best = nullptr;
    std::set<std::string> others;
    for (const Content& content : index.manifests) {
        const Platform& offered = content.platform;
        const bool is_single = offered.architecture.empty() && index.manifests.size() == 1;
        if (!is_single && !runs_on(offered, platform)) {
            others.insert(offered.system + "/" + offered.architecture +
                          (offered.variant.empty() ? "" : "/" + offered.variant));
            continue;
        }
        if (best == nullptr || known_variant(offered) > known_variant(best->platform)) best = &content;
    }
    if (best != nullptr) return *best;
    std::string list;
    for (const std::string& other : others) list += (list.empty() ? "" : ", ") + other;
    throw Error(Code::not_found, "the image is not made for " + platform.system + "/" +
                                     platform.architecture +
                                     ", only for: " + (list.empty() ? "nothing" : list));
}

}  // namespace keelson::oci
