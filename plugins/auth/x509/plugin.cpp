// Users by their client certificates: common name = user, organizations = groups, the subject attribute
// 1.3.6.1.4.1.57683.2 = uid (the host reads it). The host has verified the certificate against its client CAs
// when the connection was made.
#include <algorithm>
#include <cstdint>
#include <ctime>
#include <optional>
#include <string>

#include "keelson/auth.hpp"

namespace {

namespace authentication = keelson::authentication;

constexpr std::int64_t keep_seconds = 300;

// Seconds since 1970; nothing when it is no time.
std::optional<std::int64_t> read_time(const std::string& text) {
    std::tm time{};
    const char* end = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &time);
    if (end == nullptr || *end != '\0') return std::nullopt;
    return ::timegm(&time);
}

class X509 : public keelson::AuthenticatorPlugin {
  public:
    explicit X509(keelson::Host host) : host_(host) {}

    authentication::Authenticated authenticate(const authentication::Authenticate& request) {
        authentication::Authenticated answer;
        if (!request.certificate || request.certificate->common_name.empty()) return answer;
        const authentication::Certificate& certificate = *request.certificate;
        const std::int64_t now = std::chrono::duration_cast<std::chrono::seconds>(host_.unix_time()).count();
        const auto end = read_time(certificate.not_after);
        if (!end)
            throw keelson::Error(keelson::Code::invalid, "notAfter is not a time", "certificate.notAfter");
        // A connection may outlive the certificate that it began with.
        if (now > *end) {
            answer.error = "certificate has expired";
            return answer;
        }
        answer.authenticated = true;
        answer.user = user_of(certificate);
        answer.ttl_seconds = std::int32_t(std::min(keep_seconds, *end - now));
        return answer;
    }

  private:
    static authentication::User user_of(const authentication::Certificate& certificate) {
        authentication::User user;
        user.username = certificate.common_name;
        user.uid = certificate.uid;
        user.groups = certificate.organizations;
        user.extra["authentication.kubernetes.io/credential-id"] = {"X509SHA256=" + certificate.sha256};
        return user;
    }

    keelson::Host host_;
};

}  // namespace

KEELSON_PLUGIN(X509, "dev.keelson.x509", "0.1.0")
