#include "image_table.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "digest.h"
#include "keelson/error.hpp"
#include "reference.h"

namespace keelson::oci {
namespace {

using Json = nlohmann::json;

constexpr int format_version = 1;
constexpr std::size_t shortest_id = 4;

}  // namespace

ImageTable ImageTable::parse(std::string_view bytes) {
    const Json json = Json::parse(bytes, nullptr, false);
    ImageTable table;
    try {
        if (json.at("version") != format_version)
            throw Error(Code::unsupported, "images.json was written by another version of this plugin");
        for (const Json& entry : json.at("images")) {
            ImageRecord record;
            entry.at("names").get_to(record.names);
            entry.at("digests").get_to(record.digests);
            entry.at("manifests").get_to(record.manifests);
            for (const std::string& manifest : record.manifests)
                require_digest(manifest, "a manifest in images.json");
            const auto id = entry.at("id").get<std::string>();
            require_digest(id, "an id in images.json");
            table.images[id] = std::move(record);
        }
    } catch (const Json::exception& error) {
        throw Error(Code::invalid, std::string("images.json is damaged: ") + error.what());
    }
    return table;
}

std::string ImageTable::dump() const {
    Json list = Json::array();
    for (const auto& [id, record] : images)
        list.push_back({{"id", id},
                        {"names", record.names},
                        {"digests", record.digests},
                        {"manifests", record.manifests}});
    return Json({{"version", format_version}, {"images", list}}).dump(1) + "\n";
}

void ImageTable::add(const std::string& id, const ImageRecord& record) {
    for (const std::string& name : record.names)
        for (auto& [other, image] : images) image.names.erase(name);
    ImageRecord& image = images[id];
    image.names.insert(record.names.begin(), record.names.end());
    image.digests.insert(record.digests.begin(), record.digests.end());
    image.manifests.insert(record.manifests.begin(), record.manifests.end());
    image.chains = record.chains;
    image.config_bytes = record.config_bytes;
    image.user = record.user;
}

std::map<std::string, ImageRecord>::const_iterator ImageTable::find(const std::string& text) const {
    constexpr std::string_view prefix = "sha256:";
    const bool has_prefix = text.starts_with(prefix);
    const std::string id = has_prefix ? text : std::string(prefix) + text;
    if (is_digest(id)) return images.find(id);
    const bool may_be_short = id.size() >= prefix.size() + shortest_id && is_hex(id.substr(prefix.size()));
    if (!has_prefix) {
        const Reference reference = parse_reference(text);
        const std::string wanted =
            reference.digest.empty() ? reference.text() : reference.name() + "@" + reference.digest;
        const auto found = std::ranges::find_if(images, [&](const auto& image) {
            return image.second.names.contains(wanted) || image.second.digests.contains(wanted);
        });
        if (found != images.end() || !may_be_short) return found;
    }
    if (!may_be_short) return images.end();
    const auto first = images.lower_bound(id);
    if (first == images.end() || !first->first.starts_with(id)) return images.end();
    const auto second = std::next(first);
    return second != images.end() && second->first.starts_with(id) ? images.end() : first;
}

}  // namespace keelson::oci
