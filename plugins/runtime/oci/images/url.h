// Addresses of registries, of their token services and of where they redirect to.
#ifndef KEELSON_OCI_URL_H
#define KEELSON_OCI_URL_H

#include <string>
#include <string_view>

namespace keelson::oci {

struct Url {
    bool uses_tls = true;
    std::string host;  // an IPv6 address without brackets
    std::string port;
    std::string target = "/";  // path and query

    // "host:port", without the port that goes without saying.
    [[nodiscard]] std::string authority() const;
    [[nodiscard]] std::string text() const {
        return (uses_tls ? "https://" : "http://") + authority() + target;
    }
    [[nodiscard]] bool is_same_server(const Url& other) const {
        return uses_tls == other.uses_tls && host == other.host && port == other.port;
    }
};

// http:// and https:// only, without user names; anything else is Code::invalid.
[[nodiscard]] Url parse_url(const std::string& text);
// What a Location header means.
[[nodiscard]] Url resolve_url(const Url& base, const std::string& location);
[[nodiscard]] std::string percent_encoded(std::string_view text);

}  // namespace keelson::oci

#endif
