// "192.0.2.10:10053" and "[2001:db8::1]:53" as socket addresses.
#ifndef KEELSON_DNS_ENDPOINT_H
#define KEELSON_DNS_ENDPOINT_H

#include <netinet/in.h>
#include <sys/socket.h>

#include <string>

#include "keelson/call.hpp"

namespace keelson::name_server {

struct Endpoint {
    sockaddr_storage address{};
    socklen_t size = 0;

    [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }
    [[nodiscard]] int family() const { return address.ss_family; }
    [[nodiscard]] int port() const;
    void set_port(int port);
    [[nodiscard]] bool is_any() const;
    [[nodiscard]] std::string text() const;
    // The address alone in network order.
    [[nodiscard]] std::string bytes() const;
};

// Throws Code::invalid; `field` is where it stood. Port 0 only when a free one may be taken.
Endpoint read_endpoint(const std::string& text, const char* field, bool may_be_any_port);
Endpoint local_endpoint(int socket);

}  // namespace keelson::name_server

#endif
