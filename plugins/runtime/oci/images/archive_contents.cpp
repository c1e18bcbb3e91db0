#include "archive_contents.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "digest.h"
#include "keelson/error.hpp"

namespace keelson::oci {
namespace {

using Json = nlohmann::json;

constexpr int maximum_links = 8;
constexpr int maximum_nesting = 4;
constexpr const char* containerd_name = "io.containerd.image.name";
constexpr const char* reference_name = "org.opencontainers.image.ref.name";

[[noreturn]] void refuse(const std::string& reason) {
    throw Error(Code::invalid, "the archive " + reason);
}

std::string follow(const ArchiveContents& contents, std::string path) {
    for (int count = 0; count < maximum_links; ++count) {
        const auto link = contents.links.find(path);
        if (link == contents.links.end()) break;
        path = link->second;
    }
    return path;
}

const std::string& document(const ArchiveContents& contents, const std::string& path) {
    const auto found = contents.documents.find(follow(contents, archive_path(path)));
    if (found == contents.documents.end()) refuse("lacks \"" + path.substr(0, 300) + "\"");
    return found->second;
}

const std::string& document_by_digest(const ArchiveContents& contents, const Content& wanted) {
    const auto found = contents.paths_by_digest.find(wanted.digest);
    if (found == contents.paths_by_digest.end()) refuse("lacks " + wanted.digest);
    const std::string& bytes = contents.documents.at(found->second);
    if (bytes.size() != wanted.size)
        refuse("has another size for " + wanted.digest + " than its manifest says");
    return bytes;
}

// Each layer is what the config says it is.
void check(const ArchiveImage& image) {
    const auto& ids = image.parsed.diff_ids;
    if (ids.size() != image.layers.size())
        refuse("has an image of " + std::to_string(image.layers.size()) + " layers whose config describes " +
               std::to_string(ids.size()));
    for (std::size_t index = 0; index < ids.size(); ++index)
        if (image.layers[index]->layer.content.diff_id != ids[index])
            refuse("has a layer that is not " + ids[index] + " as its config says");
    const Platform& platform = image.parsed.platform;
    if (!platform.architecture.empty() && !runs_on(platform, this_platform()))
        refuse("has an image for " + platform.system + "/" + platform.architecture +
               ", which is not this machine");
}

ArchiveImage oci_image(const ArchiveContents& contents, const Manifest& manifest, const Limits& limits) {
    ArchiveImage image;
    image.config = document_by_digest(contents, manifest.config);
    image.parsed = parse_config(image.config, limits);
    for (const Content& layer : manifest.layers) {
        const auto found = contents.layers_by_digest.find(layer.digest);
        if (found == contents.layers_by_digest.end()) refuse("lacks the layer " + layer.digest);
        image.layers.push_back(found->second);
    }
    check(image);
    return image;
}

// The image behind an entry of the index; what is listed in an index of its own is chosen for this machine.
ArchiveImage resolve(const ArchiveContents& contents, Content content, const Limits& limits) {
    std::vector<std::string> manifests;
    for (int nesting = 0; nesting < maximum_nesting; ++nesting) {
        manifests.push_back(document_by_digest(contents, content));
        const Manifest manifest = parse_manifest(manifests.back(), limits);
        if (!manifest.is_index) {
            ArchiveImage image = oci_image(contents, manifest, limits);
            image.manifests = std::move(manifests);
            return image;
        }
        content = choose_manifest(manifest, this_platform());
    }
    refuse("has indexes in indexes in indexes");
}

// A bare tag names no image.
bool is_whole_reference(const std::string& text) {
    return text.find_first_of("/:@") != std::string::npos;
}

std::vector<std::string> names_of(const Content& content) {
    const auto whole = content.annotations.find(containerd_name);
    if (whole != content.annotations.end()) return {whole->second};
    const auto reference = content.annotations.find(reference_name);
    if (reference != content.annotations.end() && is_whole_reference(reference->second))
        return {reference->second};
    return {};
}

std::vector<ArchiveImage> oci_images(const ArchiveContents& contents, const Limits& limits) {
    const Manifest index = parse_manifest(document(contents, "index.json"), limits);
    if (!index.is_index || index.manifests.empty()) refuse("has an index.json without manifests");
    std::vector<ArchiveImage> images;
    for (const Content& content : index.manifests) {
        if (!content.platform.architecture.empty() && !runs_on(content.platform, this_platform())) continue;
        images.push_back(resolve(contents, content, limits));
        images.back().names = names_of(content);
    }
    if (images.empty()) images.push_back(resolve(contents, choose_manifest(index, this_platform()), limits));
    return images;
}

std::vector<std::string> texts(const Json& json, const char* name) {
    std::vector<std::string> values;
    const auto found = json.find(name);
    if (found == json.end() || !found->is_array()) return values;
    for (const Json& value : *found)
        if (value.is_string()) values.push_back(value.get<std::string>());
    return values;
}

ArchiveImage docker_image(const ArchiveContents& contents, const Json& entry, const Limits& limits) {
    if (!entry.is_object() || !entry.contains("Config") || !entry["Config"].is_string())
        refuse("has a manifest.json without a \"Config\"");
    ArchiveImage image;
    image.config = document(contents, entry["Config"].get<std::string>());
    image.parsed = parse_config(image.config, limits);
    image.names = texts(entry, "RepoTags");
    for (const std::string& path : texts(entry, "Layers")) {
        const auto found = contents.layers_by_path.find(follow(contents, archive_path(path)));
        if (found == contents.layers_by_path.end()) refuse("lacks the layer \"" + path.substr(0, 300) + "\"");
        image.layers.push_back(found->second);
    }
    check(image);
    return image;
}

std::vector<ArchiveImage> docker_images(const ArchiveContents& contents, const Limits& limits) {
    const Json json = Json::parse(document(contents, "manifest.json"), nullptr, false);
    if (!json.is_array() || json.empty()) refuse("has a manifest.json that is no list of images");
    std::vector<ArchiveImage> images;
    for (const Json& entry : json) images.push_back(docker_image(contents, entry, limits));
    return images;
}

}  // namespace

std::string archive_path(std::string_view text) {
    std::vector<std::string_view> components;
    while (!text.empty()) {
        const std::size_t slash = std::min(text.find('/'), text.size());
        const std::string_view component = text.substr(0, slash);
        text.remove_prefix(std::min(slash + 1, text.size()));
        if (component == "..") {
            if (!components.empty()) components.pop_back();
        } else if (!component.empty() && component != ".") {
            components.push_back(component);
        }
    }
    std::string path;
    for (const std::string_view component : components)
        path.append(path.empty() ? "" : "/").append(component);
    return path;
}

std::vector<ArchiveImage> images_of(const ArchiveContents& contents, const Limits& limits) {
    if (contents.documents.contains("index.json")) return oci_images(contents, limits);
    if (contents.documents.contains("manifest.json")) return docker_images(contents, limits);
    refuse("is no image: it has neither index.json (OCI) nor manifest.json (docker save)");
}

}  // namespace keelson::oci
