#include "kernel/resource/bootstrap_token_authenticator.h"

#include <openssl/crypto.h>

#include <algorithm>

#include "kernel/base/base64.h"
#include "kernel/object/time_format.h"

namespace keelson::resource {
namespace {

using access::Identity;
using object::Arena;
using object::Value;

constexpr std::size_t kIdSize = 6;
constexpr std::size_t kSecretSize = 16;

bool is_lower_or_digit(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

std::string datum(Value secret, std::string_view name) {
    auto decoded = base::base64_decode(secret["data"][name].as_string());
    return decoded ? std::move(*decoded) : std::string();
}

bool is_same_secret(const std::string& one, const std::string& other) {
    return one.size() == other.size() && CRYPTO_memcmp(one.data(), other.data(), one.size()) == 0;
}

bool is_expired(const std::string& expiration, base::WallTime now) {
    if (expiration.empty()) return false;
    const auto time = object::parse_time(expiration);
    return !time || !(object::instant_of(now) < *time);
}

// "system:bootstrappers:" and at least one of [a-z0-9:-], the last none of ":-".
bool is_group(std::string_view group) {
    constexpr std::size_t kLongest = 256;
    const std::string prefix = std::string(access::bootstrappers_group) + ":";
    if (!group.starts_with(prefix)) return false;
    const std::string_view rest = group.substr(prefix.size());
    return !rest.empty() && rest.size() <= kLongest && is_lower_or_digit(rest.back()) &&
           std::ranges::all_of(rest, [](char c) { return is_lower_or_digit(c) || c == ':' || c == '-'; });
}

// Nothing when one of them is none that a token may give.
std::optional<std::vector<std::string>> groups_of(std::string_view extra) {
    std::vector<std::string> groups{std::string(access::bootstrappers_group)};
    while (!extra.empty()) {
        const auto comma = extra.find(',');
        const std::string_view group = extra.substr(0, comma);
        extra = comma == std::string_view::npos ? std::string_view() : extra.substr(comma + 1);
        if (!is_group(group)) return std::nullopt;
        groups.emplace_back(group);
    }
    return groups;
}

}  // namespace

std::optional<BootstrapToken> parse_bootstrap_token(std::string_view text) {
    if (text.size() != kIdSize + 1 + kSecretSize || text[kIdSize] != '.') return std::nullopt;
    BootstrapToken token{std::string(text.substr(0, kIdSize)), std::string(text.substr(kIdSize + 1))};
    if (!std::ranges::all_of(token.id, is_lower_or_digit) ||
        !std::ranges::all_of(token.secret, is_lower_or_digit))
        return std::nullopt;
    return token;
}

base::Task<access::Authenticator::Answer> BootstrapTokenAuthenticator::authenticate(
    const access::Credentials& credentials) {
    const auto token = parse_bootstrap_token(credentials.bearer_token);
    if (!token) co_return std::optional<Identity>();
    co_return check(*token);
}

access::Authenticator::Answer BootstrapTokenAuthenticator::check(const BootstrapToken& token) const {
    Arena arena;
    const std::string name = "bootstrap-token-" + token.id;
    KEELSON_TRY(const Value secret, lookup_.get("", "secrets", "kube-system", name, arena));
    const bool is_good = secret.is_set() && secret["metadata"]["deletionTimestamp"].is_unset() &&
                         secret["type"].as_string() == "bootstrap.kubernetes.io/token" &&
                         datum(secret, "token-id") == token.id &&
                         is_same_secret(datum(secret, "token-secret"), token.secret) &&
                         datum(secret, "usage-bootstrap-authentication") == "true" &&
                         !is_expired(datum(secret, "expiration"), clock_.wall_now());
    auto groups = groups_of(is_good ? datum(secret, "auth-extra-groups") : std::string());
    if (!is_good || !groups) return std::optional<Identity>();
    return std::optional(Identity{
        .user = "system:bootstrap:" + token.id, .uid = {}, .groups = std::move(*groups), .extra = {}});
}

}  // namespace keelson::resource
