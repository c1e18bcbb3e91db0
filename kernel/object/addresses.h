// IP addresses and networks as text, read the way Kubernetes reads them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "kernel/object/field_errors.h"

namespace keelson::object {

// An address in its 16 byte form; an IPv4 one is mapped (::ffff:a.b.c.d).
struct IpAddress {
    std::array<std::uint8_t, 16> bytes{};
    bool written_as_ipv6 = false;    // as text; "::ffff:1.2.3.4" is IPv4 written as IPv6
    bool has_leading_zeros = false;  // an IPv4 part such as 010

    [[nodiscard]] bool is_ipv4() const;  // mapped addresses included
    [[nodiscard]] bool is_loopback() const;
    [[nodiscard]] bool is_unspecified() const;
    [[nodiscard]] bool is_link_local_unicast() const;
    [[nodiscard]] bool is_link_local_multicast() const;
    [[nodiscard]] bool is_multicast() const;
    // RFC 5952.
    [[nodiscard]] std::string to_string() const;
    bool operator==(const IpAddress& other) const { return bytes == other.bytes; }

    // Leading zeros in IPv4 parts are accepted (and noted); zones are not.
    static std::optional<IpAddress> parse(std::string_view text);
};

struct IpNetwork {
    IpAddress address;
    int prefix_length = 0;  // of 32 or 128 bits
    bool length_has_leading_zeros = false;

    [[nodiscard]] int bits() const { return address.is_ipv4() && !address.written_as_ipv6 ? 32 : 128; }
    [[nodiscard]] IpAddress masked() const;
    [[nodiscard]] bool contains(const IpAddress& other) const;
    static std::optional<IpNetwork> parse(std::string_view text);
};

// Adds Kubernetes' errors; `strict` also refuses leading zeros, mapped addresses and bits beyond the prefix.
void validate_ip(FieldErrors& errors, const FieldPath& path, std::string_view text, bool strict = true);
void validate_cidr(FieldErrors& errors, const FieldPath& path, std::string_view text, bool strict = true);

}  // namespace keelson::object
