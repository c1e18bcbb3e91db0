// Tokens of ServiceAccounts: issues them and knows them again. Whether the account, and what a token is bound
// to, still exists is for the host to look up: it finds the names and uids in the answer.
#include <openssl/rand.h>

#include <algorithm>
#include <ctime>

#include "claims.h"
#include "keelson/auth.hpp"
#include "key_ring.h"
#include "web_token.h"

namespace {

namespace authentication = keelson::authentication;
namespace token = keelson::token;
using keelson::Code;
using keelson::Error;
using keelson::Json;
using Texts = std::vector<std::string>;

constexpr std::int64_t leeway_seconds = 60;  // Kubernetes'
constexpr std::int64_t keep_seconds = 60;
constexpr std::int64_t day_seconds = 86'400;

struct Config {
    std::string issuer = "https://kubernetes.default.svc";
    Texts audiences;
    std::int64_t maximum_expiration_seconds = std::int64_t(1) << 32;
    std::int64_t key_rotation_days = 90;
    KEELSON_FIELDS(field.optional("issuer", self.issuer)
                       .optional("audiences", self.audiences)
                       .optional("maximumExpirationSeconds", self.maximum_expiration_seconds)
                       .optional("keyRotationDays", self.key_rotation_days))
};

Config read_config(const Json& json) {
    auto config = keelson::read_as<Config>(json);
    if (config.issuer.empty()) throw Error(Code::invalid, "issuer must not be empty", "issuer");
    if (config.maximum_expiration_seconds < 600)
        throw Error(Code::invalid, "maximumExpirationSeconds must be 600 at least",
                    "maximumExpirationSeconds");
    if (config.key_rotation_days < 1 || config.key_rotation_days > 36'500)
        throw Error(Code::invalid, "keyRotationDays must be from 1 to 36500", "keyRotationDays");
    if (config.audiences.empty()) config.audiences = {config.issuer};
    return config;
}

// "2026-01-02T03:04:05Z"
std::string time_text(std::int64_t seconds) {
    const std::time_t time = seconds;
    std::tm parts{};
    char text[32];
    if (::gmtime_r(&time, &parts) == nullptr) throw Error(Code::invalid, "the time is out of range");
    return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

std::string make_uuid() {
    unsigned char bytes[16];
    if (RAND_bytes(bytes, sizeof bytes) != 1) throw Error(Code::internal, "there is no randomness");
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    static constexpr char digits[] = "0123456789abcdef";
    std::string text;
    for (std::size_t i = 0; i < sizeof bytes; ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
        text += digits[bytes[i] >> 4];
        text += digits[bytes[i] & 15];
    }
    return text;
}

std::string listed(const Texts& texts) {
    std::string result;
    for (const std::string& text : texts) result += (result.empty() ? "\"" : " \"") + text + "\"";
    return "[" + result + "]";
}

authentication::Authenticated refused(std::string why) {
    authentication::Authenticated answer;
    answer.error = std::move(why);
    return answer;
}

authentication::User user_of(const Claims& claims) {
    authentication::User user;
    user.username = claims.subject();
    user.uid = claims.service_account.uid;
    user.groups = {"system:serviceaccounts", "system:serviceaccounts:" + claims.namespace_};
    const auto add = [&user](const char* key, const std::string& value) {
        if (!value.empty()) user.extra[key] = {value};
    };
    if (!claims.id.empty()) add("authentication.kubernetes.io/credential-id", "JTI=" + claims.id);
    if (claims.pod) {
        add("authentication.kubernetes.io/pod-name", claims.pod->name);
        add("authentication.kubernetes.io/pod-uid", claims.pod->uid);
    }
    if (claims.node) {
        add("authentication.kubernetes.io/node-name", claims.node->name);
        add("authentication.kubernetes.io/node-uid", claims.node->uid);
    }
    // For the host alone, which takes them out.
    if (claims.warn_after > 0)
        add("authentication.keelson.dev/warn-after", std::to_string(claims.warn_after));
    if (claims.secret) {
        add("authentication.keelson.dev/secret-name", claims.secret->name);
        add("authentication.keelson.dev/secret-uid", claims.secret->uid);
    }
    return user;
}

void bind(const token::Issue& request, Claims& claims) {
    if (request.node) claims.node = ObjectClaim{request.node->name, request.node->uid};
    if (!request.bound_object) return;
    const ObjectClaim object{request.bound_object->name, request.bound_object->uid};
    if (request.bound_object->kind == "Pod")
        claims.pod = object;
    else if (request.bound_object->kind == "Secret")
        claims.secret = object;
    else if (request.bound_object->kind == "Node")
        claims.node = object;
    else
        throw Error(Code::invalid, "tokens are bound to a Pod, Secret or Node only", "boundObject.kind");
}

class ServiceAccounts : public keelson::AuthenticatorPlugin, public keelson::TokenIssuerPlugin {
  public:
    ServiceAccounts(keelson::Host host, const Json& config)
        : host_(host),
          config_(read_config(config)),
          keys_(host.state_directory() + "/keys.json", config_.key_rotation_days * day_seconds, now()) {}

    token::Issued issue(const token::Issue& request) {
        if (request.expiration_seconds <= 0)
            throw Error(Code::invalid, "expirationSeconds must be more than 0", "expirationSeconds");
        Claims claims;
        claims.issuer = config_.issuer;
        claims.id = make_uuid();
        claims.audiences = request.audiences.empty() ? config_.audiences : request.audiences;
        claims.issued_at = claims.not_before = now();
        claims.expires =
            claims.issued_at + std::min(request.expiration_seconds, config_.maximum_expiration_seconds);
        if (request.warn_after_seconds > 0)
            claims.warn_after =
                std::min(claims.issued_at + std::min(request.warn_after_seconds, day_seconds * 36'500),
                         claims.expires);
        claims.namespace_ = request.service_account.namespace_;
        claims.service_account = {request.service_account.name, request.service_account.uid};
        bind(request, claims);
        return {signed_token(claims), time_text(claims.expires)};
    }

    token::Keys keys() { return {config_.issuer, keys_.web_keys(now())}; }

    authentication::Authenticated authenticate(const authentication::Authenticate& request) {
        const auto parsed = request.token.empty() ? std::nullopt : read_web_token(request.token);
        // Tokens of other issuers are for other plugins.
        if (!parsed || !is_ours(parsed->payload)) return {};
        if (const std::string problem = check_signature(*parsed); !problem.empty()) return refused(problem);
        const auto claims = read_claims(parsed->payload);
        if (!claims) return refused("service account token claims could not be read");
        const std::int64_t time = now();
        if (const std::string problem = check_times(*claims, time); !problem.empty()) return refused(problem);
        const Texts& wanted = request.audiences.empty() ? config_.audiences : request.audiences;
        authentication::Authenticated answer;
        for (const std::string& audience : wanted) {
            if (std::find(claims->audiences.begin(), claims->audiences.end(), audience) !=
                claims->audiences.end())
                answer.audiences.push_back(audience);
        }
        if (answer.audiences.empty())
            return refused("token audiences " + listed(claims->audiences) +
                           " is invalid for the target audiences " + listed(wanted));
        answer.authenticated = true;
        answer.user = user_of(*claims);
        answer.ttl_seconds = std::int32_t(std::clamp<std::int64_t>(claims->expires - time, 0, keep_seconds));
        return answer;
    }

  private:
    [[nodiscard]] std::int64_t now() const {
        return std::chrono::duration_cast<std::chrono::seconds>(host_.unix_time()).count();
    }

    std::string signed_token(const Claims& claims) {
        const auto key = keys_.key_for(claims.expires, claims.issued_at);
        const Json header{{"alg", "ES256"}, {"kid", key->id()}};
        std::string text =
            encode_base64url(header.dump()) + "." + encode_base64url(write_claims(claims).dump());
        const std::string signature = key->sign(text);
        return text + "." + encode_base64url(signature);
    }

    [[nodiscard]] bool is_ours(const Json& payload) const {
        const auto issuer = payload.find("iss");
        return issuer != payload.end() && issuer->is_string() &&
               issuer->get_ref<const std::string&>() == config_.issuer;
    }

    // The algorithm is ours to choose, never the token's: nothing but ES256 is looked at.
    [[nodiscard]] std::string check_signature(const WebToken& parsed) const {
        const auto text = [&](const char* name) {
            const auto found = parsed.header.find(name);
            return found != parsed.header.end() && found->is_string() ? found->get<std::string>()
                                                                      : std::string();
        };
        if (text("alg") != "ES256" || parsed.header.contains("crit"))
            return "unexpected signature algorithm; only ES256 is accepted";
        const auto key = keys_.find(text("kid"));
        if (!key) return "invalid signature, no keys found";
        if (!key->verifies(parsed.signed_text, parsed.signature)) return "invalid signature";
        return {};
    }

    static std::string check_times(const Claims& claims, std::int64_t time) {
        if (time > claims.expires + leeway_seconds) return "service account token has expired";
        if (time + leeway_seconds < claims.not_before) return "service account token is not valid yet";
        if (time + leeway_seconds < claims.issued_at) return "service account token is issued in the future";
        return {};
    }

    keelson::Host host_;
    Config config_;
    KeyRing keys_;
};

}  // namespace

KEELSON_PLUGIN(ServiceAccounts, "dev.keelson.serviceaccount", "0.1.0")
