// Capabilities and their methods as numbers, so that calls travel without names. The list is the SDK's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace keelson::host_protocol {

inline constexpr std::size_t kMostCapabilities = 32;
inline constexpr std::size_t kMostMethods = 32;

// A method of a capability, or a part of the life of an instance.
struct MethodId {
    static constexpr std::uint16_t kInstance = 0xffff;  // as capability: start, stop, health of the instance
    std::uint16_t capability = kInstance;
    std::uint16_t method = 0;
    bool operator==(const MethodId&) const = default;
};
inline constexpr MethodId kStart{MethodId::kInstance, 0};
inline constexpr MethodId kStop{MethodId::kInstance, 1};
inline constexpr MethodId kHealth{MethodId::kInstance, 2};

[[nodiscard]] std::optional<std::uint16_t> find_capability(std::string_view id);
[[nodiscard]] std::optional<MethodId> find_method(std::string_view capability, std::string_view method);
[[nodiscard]] std::string_view capability_id(std::uint16_t capability);
// "keelson.volume/0.publish", "instance.health"
[[nodiscard]] std::string method_text(MethodId id);
[[nodiscard]] std::string_view method_name(MethodId id);
// Whether it may run in the caller's thread.
[[nodiscard]] bool is_short(MethodId id);

// Which methods an instance has.
class MethodSet {
  public:
    void add_capability(std::uint16_t capability) { capabilities_ |= std::uint32_t{1} << capability; }
    void add(MethodId id) { methods_[id.capability] |= std::uint32_t{1} << id.method; }
    [[nodiscard]] bool has_capability(std::uint16_t capability) const {
        return (capabilities_ >> capability & 1) != 0;
    }
    [[nodiscard]] bool has(MethodId id) const {
        return id.capability == MethodId::kInstance ||
               (id.capability < kMostCapabilities && (methods_[id.capability] >> id.method & 1) != 0);
    }
    [[nodiscard]] std::vector<std::string> capability_ids() const;
    // As it travels between processes: kMostCapabilities + 1 numbers.
    [[nodiscard]] std::string encode() const;
    [[nodiscard]] static std::optional<MethodSet> decode(std::string_view text);

  private:
    std::uint32_t capabilities_ = 0;
    std::array<std::uint32_t, kMostCapabilities> methods_{};
};

}  // namespace keelson::host_protocol
