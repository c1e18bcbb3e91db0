#include "sdk/host_protocol/capabilities.h"

#include <keelson/capabilities.h>

#include <cstring>

namespace keelson::host_protocol {
namespace {

static_assert(KEELSON_CAPABILITY_COUNT <= kMostCapabilities);

constexpr std::string_view kInstanceMethods[] = {"start", "stop", "health"};

const keelson_capability_info* info_of(std::uint16_t capability) {
    return capability < KEELSON_CAPABILITY_COUNT ? &keelson_capability_list[capability] : nullptr;
}

}  // namespace

std::optional<std::uint16_t> find_capability(std::string_view id) {
    for (std::uint16_t i = 0; i < KEELSON_CAPABILITY_COUNT; ++i)
        if (keelson_capability_list[i].id == id) return i;
    return std::nullopt;
}

std::optional<MethodId> find_method(std::string_view capability, std::string_view method) {
    const auto found = find_capability(capability);
    if (!found) return std::nullopt;
    const keelson_capability_info& info = keelson_capability_list[*found];
    for (std::uint16_t i = 0; i < info.method_count; ++i)
        if (info.methods[i].name == method) return MethodId{*found, i};
    return std::nullopt;
}

std::string_view capability_id(std::uint16_t capability) {
    const keelson_capability_info* info = info_of(capability);
    return info ? std::string_view(info->id) : "instance";
}

std::string_view method_name(MethodId id) {
    if (id.capability == MethodId::kInstance)
        return id.method < std::size(kInstanceMethods) ? kInstanceMethods[id.method] : "?";
    const keelson_capability_info* info = info_of(id.capability);
    return info && id.method < info->method_count ? std::string_view(info->methods[id.method].name) : "?";
}

std::string method_text(MethodId id) {
    return std::string(capability_id(id.capability)) + "." + std::string(method_name(id));
}

bool is_short(MethodId id) {
    const keelson_capability_info* info = info_of(id.capability);
    return info && info->is_short != 0;
}

std::vector<std::string> MethodSet::capability_ids() const {
    std::vector<std::string> ids;
    for (std::uint16_t i = 0; i < KEELSON_CAPABILITY_COUNT; ++i)
        if (has_capability(i)) ids.emplace_back(keelson_capability_list[i].id);
    return ids;
}

std::string MethodSet::encode() const {
    std::string text(sizeof capabilities_ + sizeof methods_, '\0');
    std::memcpy(text.data(), &capabilities_, sizeof capabilities_);
    std::memcpy(text.data() + sizeof capabilities_, methods_.data(), sizeof methods_);
    return text;
}

std::optional<MethodSet> MethodSet::decode(std::string_view text) {
    MethodSet set;
    if (text.size() != sizeof set.capabilities_ + sizeof set.methods_) return std::nullopt;
    std::memcpy(&set.capabilities_, text.data(), sizeof set.capabilities_);
    std::memcpy(set.methods_.data(), text.data() + sizeof set.capabilities_, sizeof set.methods_);
    return set;
}

}  // namespace keelson::host_protocol
