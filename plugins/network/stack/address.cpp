#include "stack/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace keelson::stack {
namespace {

constexpr int counted_bits = 32;

Address masked(Address address, int length) {
    for (int bit = length; bit < address.bits(); ++bit)
        address.bytes[std::size_t(bit / 8)] &= std::uint8_t(~(0x80 >> (bit % 8)));
    return address;
}

}  // namespace

std::string Address::text() const {
    char buffer[INET6_ADDRSTRLEN];
    return ::inet_ntop(family, bytes.data(), buffer, sizeof buffer);
}

std::optional<Address> parse_address(std::string_view text) {
    const std::string terminated(text);
    Address address;
    address.family = text.find(':') == std::string_view::npos ? AF_INET : AF_INET6;
    if (::inet_pton(address.family, terminated.c_str(), address.bytes.data()) != 1) return std::nullopt;
    return address;
}

bool Prefix::contains(const Address& other) const {
    return other.family == address.family && masked(other, length) == address;
}

std::uint64_t Prefix::size() const {
    return std::uint64_t(1) << std::min(address.bits() - length, counted_bits);
}

Address Prefix::at(std::uint64_t offset) const {
    Address result = address;
    for (std::size_t index = result.size(); offset != 0 && index-- > 0; offset >>= 8)
        result.bytes[index] |= std::uint8_t(offset);
    return result;
}

std::optional<std::uint64_t> Prefix::offset_of(const Address& other) const {
    std::uint64_t offset = 0;
    for (std::size_t index = other.size() - 4; index < other.size(); ++index)
        offset = offset << 8 | other.bytes[index];
    offset &= size() - 1;
    if (at(offset) != other) return std::nullopt;
    return offset;
}

std::string Prefix::text() const {
    return address.text() + "/" + std::to_string(length);
}

std::optional<Prefix> parse_prefix(std::string_view text) {
    const std::size_t slash = text.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    const auto address = parse_address(text.substr(0, slash));
    const char* end = text.data() + text.size();
    int length = -1;
    const auto parsed = std::from_chars(text.data() + slash + 1, end, length);
    if (!address || parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
    if (length < 0 || length > address->bits()) return std::nullopt;
    return Prefix{masked(*address, length), length};
}

}  // namespace keelson::stack
