// Addresses and prefixes of both families.
#ifndef KEELSON_STACK_ADDRESS_H
#define KEELSON_STACK_ADDRESS_H

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

namespace keelson::stack {

struct Address {
    int family = AF_INET;
    std::array<std::uint8_t, 16> bytes{};  // in network order; IPv4 has the first four

    [[nodiscard]] std::size_t size() const { return family == AF_INET ? 4 : 16; }
    [[nodiscard]] int bits() const { return int(size()) * 8; }
    [[nodiscard]] std::string text() const;
    bool operator==(const Address&) const = default;
    bool operator<(const Address& other) const {
        return std::tie(family, bytes) < std::tie(other.family, other.bytes);
    }
};

std::optional<Address> parse_address(std::string_view text);

struct Prefix {
    Address address;
    int length = 0;

    [[nodiscard]] bool contains(const Address& other) const;
    // How many addresses it has, at most 2^32.
    [[nodiscard]] std::uint64_t size() const;
    // The address that many after the first; offset is below size().
    [[nodiscard]] Address at(std::uint64_t offset) const;
    // The reverse of at(), for an address that the prefix contains; none when it lies beyond size().
    [[nodiscard]] std::optional<std::uint64_t> offset_of(const Address& other) const;
    [[nodiscard]] std::string text() const;
    bool operator==(const Prefix&) const = default;
    bool operator<(const Prefix& other) const {
        return std::tie(address, length) < std::tie(other.address, other.length);
    }
};

// "10.244.0.0/24"; none when it is no prefix. Bits behind the length are cleared.
std::optional<Prefix> parse_prefix(std::string_view text);

}  // namespace keelson::stack

#endif
