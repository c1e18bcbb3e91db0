#include "images.h"

#include "chance.h"

namespace {

using keelson::Code;
using keelson::Error;

constexpr std::size_t maximum_images = 100'000;
constexpr std::int64_t inodes_an_image = 100;

void refuse_by_name(const std::string& name) {
    const auto has = [&](const char* word) { return name.find(word) != std::string::npos; };
    const std::string what = "failed to pull image \"" + name + "\": ";
    if (has("missing")) throw Error(Code::not_found, what + name + ": not found", "image");
    if (has("denied"))
        throw Error(Code::forbidden,
                    what + "pull access denied, repository does not exist or may require authorization",
                    "image");
    if (has("unreachable"))
        throw Error(Code::unavailable, what + "dial tcp: connect: connection refused", "image");
}

// The name without tag and digest.
std::string repository_of(const std::string& name) {
    const std::string plain = name.substr(0, name.find('@'));
    const auto colon = plain.rfind(':');
    const auto slash = plain.rfind('/');
    const bool has_tag = colon != std::string::npos && (slash == std::string::npos || colon > slash);
    return has_tag ? plain.substr(0, colon) : plain;
}

}  // namespace

std::string Images::pull(const std::string& name) {
    if (name.empty()) throw Error(Code::invalid, "image must not be empty", "image");
    refuse_by_name(name);
    if (names_.size() >= maximum_images) throw Error(Code::exhausted, "too many images: remove some");
    std::string id = "sha256:" + digest_of(name);
    names_[id] = name;
    return id;
}

keelson::images::Image Images::describe(const std::string& id, const std::string& name) const {
    return {id, {name}, size_bytes_, {}, {repository_of(name) + "@" + id}};
}

keelson::images::Listed Images::list() const {
    keelson::images::Listed listed;
    for (const auto& [id, name] : names_) listed.images.push_back(describe(id, name));
    return listed;
}

std::optional<keelson::images::Image> Images::inspect(const std::string& image) const {
    for (const auto& [id, name] : names_)
        if (id == image || name == image) return describe(id, name);
    return std::nullopt;
}

keelson::images::Usage Images::usage(std::string path) const {
    const auto count = std::int64_t(names_.size());
    return {count * size_bytes_, count * inodes_an_image, std::move(path)};
}
