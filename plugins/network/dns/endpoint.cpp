#include "endpoint.h"

#include <arpa/inet.h>

#include <charconv>

#include "keelson/error.hpp"

namespace keelson::name_server {
namespace {

sockaddr_in* as_4(Endpoint& endpoint) {
    return reinterpret_cast<sockaddr_in*>(&endpoint.address);
}
sockaddr_in6* as_6(Endpoint& endpoint) {
    return reinterpret_cast<sockaddr_in6*>(&endpoint.address);
}
const sockaddr_in* as_4(const Endpoint& endpoint) {
    return reinterpret_cast<const sockaddr_in*>(&endpoint.address);
}
const sockaddr_in6* as_6(const Endpoint& endpoint) {
    return reinterpret_cast<const sockaddr_in6*>(&endpoint.address);
}

}  // namespace

int Endpoint::port() const {
    return ntohs(family() == AF_INET ? as_4(*this)->sin_port : as_6(*this)->sin6_port);
}

void Endpoint::set_port(int port) {
    (family() == AF_INET ? as_4(*this)->sin_port : as_6(*this)->sin6_port) = htons(std::uint16_t(port));
}

bool Endpoint::is_any() const {
    return bytes().find_first_not_of('\0') == std::string::npos;
}

std::string Endpoint::bytes() const {
    const void* start = family() == AF_INET ? static_cast<const void*>(&as_4(*this)->sin_addr)
                                            : static_cast<const void*>(&as_6(*this)->sin6_addr);
    return {static_cast<const char*>(start), std::size_t(family() == AF_INET ? 4 : 16)};
}

std::string Endpoint::text() const {
    char buffer[INET6_ADDRSTRLEN] = {};
    const std::string raw = bytes();
    ::inet_ntop(family(), raw.data(), buffer, sizeof buffer);
    const std::string number = ":" + std::to_string(port());
    return family() == AF_INET ? buffer + number : "[" + std::string(buffer) + "]" + number;
}

Endpoint read_endpoint(const std::string& text, const char* field, bool may_be_any_port) {
    const Error problem(Code::invalid,
                        "\"" + text + "\" is no address and port, like 192.0.2.10:53 or [2001:db8::1]:53",
                        field);
    const std::size_t colon = text.rfind(':');
    if (colon == std::string::npos) throw problem;
    std::string address = text.substr(0, colon);
    int port = -1;
    const char* end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data() + colon + 1, end, port);
    if (error != std::errc() || stopped != end || port < (may_be_any_port ? 0 : 1) || port > 65535)
        throw problem;
    Endpoint endpoint;
    if (address.size() > 2 && address.front() == '[' && address.back() == ']') {
        address = address.substr(1, address.size() - 2);
        endpoint.address.ss_family = AF_INET6;
        endpoint.size = sizeof(sockaddr_in6);
        if (::inet_pton(AF_INET6, address.c_str(), &as_6(endpoint)->sin6_addr) != 1) throw problem;
    } else {
        endpoint.address.ss_family = AF_INET;
        endpoint.size = sizeof(sockaddr_in);
        if (::inet_pton(AF_INET, address.c_str(), &as_4(endpoint)->sin_addr) != 1) throw problem;
    }
    endpoint.set_port(port);
    return endpoint;
}

Endpoint local_endpoint(int socket) {
    Endpoint endpoint;
    endpoint.size = sizeof endpoint.address;
    ::getsockname(socket, reinterpret_cast<sockaddr*>(&endpoint.address), &endpoint.size);
    return endpoint;
}

}  // namespace keelson::name_server
