#include "kernel/object/addresses.h"

#include <algorithm>
#include <cstdio>

namespace keelson::object {

namespace {

constexpr bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

int hex_value(char c) {
    if (is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool parse_ipv4(std::string_view text, std::uint8_t* bytes, bool& leading_zeros) {
    for (int part = 0; part < 4; ++part) {
        std::size_t end = text.find('.');
        if ((end == std::string_view::npos) != (part == 3)) return false;
        std::string_view digits = text.substr(0, end);
        if (digits.empty()) return false;
        if (digits.size() > 1 && digits[0] == '0') leading_zeros = true;
        int value = 0;
        for (char c : digits) {
            if (!is_digit(c)) return false;
            value = value * 10 + (c - '0');
            if (value > 255) return false;
        }
        bytes[part] = static_cast<std::uint8_t>(value);
        if (part < 3) text.remove_prefix(end + 1);
    }
    return true;
}

bool parse_ipv6(std::string_view text, std::array<std::uint8_t, 16>& bytes, bool& leading_zeros) {
    std::array<std::uint8_t, 16> out{};
    std::size_t used = 0;
    std::ptrdiff_t ellipsis = -1;
    if (text.starts_with("::")) {
        ellipsis = 0;
        text.remove_prefix(2);
        if (text.empty()) {
            bytes = out;
            return true;
        }
    }
    while (used < 16) {
        std::size_t length = 0;
        int value = 0;
        while (length < text.size() && hex_value(text[length]) >= 0) {
            value = value * 16 + hex_value(text[length]);
            if (++length > 4) return false;
        }
        if (length == 0) {
            return false;
        }
        if (length < text.size() && text[length] == '.') {
            if ((ellipsis < 0 && used != 12) || used + 4 > 16) return false;
            if (!parse_ipv4(text, out.data() + used, leading_zeros)) return false;
            used += 4;
            text = {};
            break;
        }
        out[used++] = static_cast<std::uint8_t>(value >> 8);
        out[used++] = static_cast<std::uint8_t>(value);
        text.remove_prefix(length);
        if (text.empty()) break;
        if (text[0] != ':' || text.size() == 1) return false;
        text.remove_prefix(1);
        if (text[0] == ':') {
            if (ellipsis >= 0) return false;
            ellipsis = static_cast<std::ptrdiff_t>(used);
            text.remove_prefix(1);
            if (text.empty()) break;
        }
    }
    if (!text.empty()) return false;
    if (used < 16) {
        if (ellipsis < 0) return false;
        auto from = out.begin() + ellipsis;
        auto end = out.begin() + static_cast<std::ptrdiff_t>(used);
        auto moved = std::move_backward(from, end, out.end());
        std::fill(from, moved, std::uint8_t{0});
    } else if (ellipsis >= 0) {
        return false;
    }
    bytes = out;
    return true;
}

}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
    IpAddress result;
    std::size_t mark = text.find_first_of(".:");
    if (mark == std::string_view::npos) return std::nullopt;
    if (text[mark] == '.') {
        result.bytes[10] = result.bytes[11] = 0xff;
        if (!parse_ipv4(text, result.bytes.data() + 12, result.has_leading_zeros)) return std::nullopt;
        return result;
    }
    result.written_as_ipv6 = true;
    if (!parse_ipv6(text, result.bytes, result.has_leading_zeros)) return std::nullopt;
    return result;
}

bool IpAddress::is_ipv4() const {
    return std::all_of(bytes.begin(), bytes.begin() + 10, [](auto b) { return b == 0; }) &&
           bytes[10] == 0xff && bytes[11] == 0xff;
}

bool IpAddress::is_loopback() const {
    if (is_ipv4()) return bytes[12] == 127;
    return std::all_of(bytes.begin(), bytes.begin() + 15, [](auto b) { return b == 0; }) && bytes[15] == 1;
}

bool IpAddress::is_unspecified() const {
    auto from = is_ipv4() ? bytes.begin() + 12 : bytes.begin();
    return std::all_of(from, bytes.end(), [](auto b) { return b == 0; });
}

bool IpAddress::is_link_local_unicast() const {
    if (is_ipv4()) return bytes[12] == 169 && bytes[13] == 254;
    return bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
}

bool IpAddress::is_link_local_multicast() const {
    if (is_ipv4()) return bytes[12] == 224 && bytes[13] == 0 && bytes[14] == 0;
    return bytes[0] == 0xff && (bytes[1] & 0x0f) == 0x02;
}

bool IpAddress::is_multicast() const {
    return is_ipv4() ? (bytes[12] & 0xf0) == 0xe0 : bytes[0] == 0xff;
}

std::string IpAddress::to_string() const {
    char buffer[64];
    if (is_ipv4()) {
        std::snprintf(buffer, sizeof buffer, "%d.%d.%d.%d", bytes[12], bytes[13], bytes[14], bytes[15]);
        return buffer;
    }
    auto group = [&](int i) {
        const std::size_t first = 2 * static_cast<std::size_t>(i);
        return (bytes[first] << 8) | bytes[first + 1];
    };
    int zeros_at = -1, zeros = 1;
    for (int i = 0; i < 8; ++i) {
        int run = 0;
        while (i + run < 8 && group(i + run) == 0) ++run;
        if (run > zeros) {
            zeros_at = i;
            zeros = run;
        }
        if (run > 0) i += run - 1;
    }
    std::string out;
    for (int i = 0; i < 8; ++i) {
        if (i == zeros_at) {
            out += "::";
            i += zeros - 1;
            continue;
        }
        if (!out.empty() && out.back() != ':') out += ':';
        std::snprintf(buffer, sizeof buffer, "%x", group(i));
        out += buffer;
    }
    return out;
}

std::optional<IpNetwork> IpNetwork::parse(std::string_view text) {
    std::size_t slash = text.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    auto address = IpAddress::parse(text.substr(0, slash));
    std::string_view digits = text.substr(slash + 1);
    if (!address || digits.empty() || digits.size() > 6) return std::nullopt;
    IpNetwork result;
    result.address = *address;
    result.length_has_leading_zeros = digits.size() > 1 && digits[0] == '0';
    for (char c : digits) {
        if (!is_digit(c)) return std::nullopt;
        result.prefix_length = result.prefix_length * 10 + (c - '0');
    }
    if (result.prefix_length > (address->written_as_ipv6 ? 128 : 32)) return std::nullopt;
    return result;
}

IpAddress IpNetwork::masked() const {
    IpAddress result = address;
    int kept = address.written_as_ipv6 ? prefix_length : prefix_length + 96;
    for (int i = 0; i < 16; ++i) {
        int bits = std::clamp(kept - 8 * i, 0, 8);
        result.bytes[static_cast<std::size_t>(i)] &= static_cast<std::uint8_t>(0xff00 >> bits);
    }
    return result;
}

bool IpNetwork::contains(const IpAddress& other) const {
    if (other.is_ipv4() != address.is_ipv4()) return false;
    IpNetwork shifted = *this;
    shifted.address.bytes = other.bytes;
    return shifted.masked() == masked();
}

void validate_ip(FieldErrors& errors, const FieldPath& path, std::string_view text, bool strict) {
    auto address = IpAddress::parse(text);
    if (!address) {
        errors.invalid(path, text, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
        return;
    }
    if (!strict) return;
    if (address->has_leading_zeros)
        errors.invalid(path, text, "must not have leading 0s");
    else if (address->written_as_ipv6 && address->is_ipv4())
        errors.invalid(path, text, "must not be an IPv4-mapped IPv6 address");
}

void validate_cidr(FieldErrors& errors, const FieldPath& path, std::string_view text, bool strict) {
    auto network = IpNetwork::parse(text);
    if (!network) {
        errors.invalid(path, text, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)");
        return;
    }
    if (!strict) return;
    if (network->address.has_leading_zeros || network->length_has_leading_zeros)
        errors.invalid(path, text, "must not have leading 0s in IP or prefix length");
    else if (network->address.written_as_ipv6 && network->address.is_ipv4())
        errors.invalid(path, text, "must not have an IPv4-mapped IPv6 address");
    else if (!(network->masked() == network->address))
        errors.invalid(path, text, "must not have bits set beyond the prefix length");
}

}  // namespace keelson::object
