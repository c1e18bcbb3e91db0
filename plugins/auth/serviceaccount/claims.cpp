#include "claims.h"

namespace {

using Json = nlohmann::json;

Json write_object(const ObjectClaim& object) {
    Json claim{{"name", object.name}};
    if (!object.uid.empty()) claim["uid"] = object.uid;
    return claim;
}

const Json* member(const Json& object, const char* name) {
    const auto found = object.find(name);
    return found == object.end() || found->is_null() ? nullptr : &*found;
}

std::string text(const Json& object, const char* name) {
    const Json* found = member(object, name);
    return found != nullptr && found->is_string() ? found->get<std::string>() : std::string();
}

bool read_time(const Json& object, const char* name, std::int64_t& time) {
    const Json* found = member(object, name);
    if (found == nullptr || !found->is_number()) return false;
    // Fractions are allowed (RFC 7519), and numbers too large for a time are as good as none.
    const double value = found->get<double>();
    if (!(value >= 0 && value < 1e15)) return false;
    time = std::int64_t(value);
    return true;
}

bool read_audiences(const Json& payload, std::vector<std::string>& audiences) {
    const Json* found = member(payload, "aud");
    if (found == nullptr) return false;
    if (found->is_string()) {
        audiences.push_back(found->get<std::string>());
        return true;
    }
    if (!found->is_array()) return false;
    for (const Json& item : *found) {
        if (!item.is_string()) return false;
        audiences.push_back(item.get<std::string>());
    }
    return !audiences.empty();
}

// False when it is there but says nothing.
bool read_object(const Json& object, const char* name, std::optional<ObjectClaim>& claim) {
    const Json* found = member(object, name);
    if (found == nullptr) return true;
    if (!found->is_object()) return false;
    claim = ObjectClaim{text(*found, "name"), text(*found, "uid")};
    return !claim->name.empty();
}

}  // namespace

std::string Claims::subject() const {
    return "system:serviceaccount:" + namespace_ + ":" + service_account.name;
}

Json write_claims(const Claims& claims) {
    Json kubernetes{{"namespace", claims.namespace_},
                    {"serviceaccount", write_object(claims.service_account)}};
    if (claims.pod) kubernetes["pod"] = write_object(*claims.pod);
    if (claims.secret) kubernetes["secret"] = write_object(*claims.secret);
    if (claims.node) kubernetes["node"] = write_object(*claims.node);
    if (claims.warn_after > 0) kubernetes["warnafter"] = claims.warn_after;
    return {{"aud", claims.audiences},  {"exp", claims.expires},  {"iat", claims.issued_at},
            {"iss", claims.issuer},     {"jti", claims.id},       {"kubernetes.io", std::move(kubernetes)},
            {"nbf", claims.not_before}, {"sub", claims.subject()}};
}

std::optional<Claims> read_claims(const Json& payload) {
    Claims claims;
    const Json* kubernetes = member(payload, "kubernetes.io");
    if (kubernetes == nullptr || !kubernetes->is_object()) return std::nullopt;
    if (!read_time(payload, "exp", claims.expires) || !read_time(payload, "iat", claims.issued_at) ||
        !read_time(payload, "nbf", claims.not_before) || !read_audiences(payload, claims.audiences))
        return std::nullopt;
    if (member(*kubernetes, "warnafter") != nullptr &&
        !read_time(*kubernetes, "warnafter", claims.warn_after))
        return std::nullopt;
    std::optional<ObjectClaim> account;
    if (!read_object(*kubernetes, "serviceaccount", account) || !account ||
        !read_object(*kubernetes, "pod", claims.pod) || !read_object(*kubernetes, "secret", claims.secret) ||
        !read_object(*kubernetes, "node", claims.node))
        return std::nullopt;
    claims.issuer = text(payload, "iss");
    claims.id = text(payload, "jti");
    claims.namespace_ = text(*kubernetes, "namespace");
    claims.service_account = *account;
    const bool is_whole = !claims.namespace_.empty() && !claims.service_account.uid.empty() &&
                          text(payload, "sub") == claims.subject();
    if (!is_whole) return std::nullopt;
    return claims;
}
