#include "kernel/resource/service_account_authenticator.h"

#include <algorithm>

#include "kernel/object/time_format.h"
#include "kernel/resource/errors.h"

namespace keelson::resource {
namespace {

using access::Identity;
using base::Reason;
using base::Result;
using base::Status;
using object::Arena;
using object::Value;

constexpr base::Duration kLeeway = std::chrono::minutes(1);

Status unauthorized(std::string message) {
    return {Reason::unauthorized, std::move(message)};
}

std::string extra_of(const Identity& identity, std::string_view key) {
    for (const auto& [name, values] : identity.extra)
        if (name == key && !values.empty()) return values.front();
    return {};
}

std::string take_extra(Identity& identity, std::string_view key) {
    std::string value = extra_of(identity, key);
    std::erase_if(identity.extra, [key](const auto& entry) { return entry.first == key; });
    return value;
}

bool is_gone(Value object, base::WallTime now) {
    std::string_view text = object["metadata"]["deletionTimestamp"].as_string();
    if (text.empty()) return false;
    auto deleted = object::parse_time(text);
    auto limit = std::chrono::floor<std::chrono::seconds>((now - kLeeway).time_since_epoch()).count();
    return deleted && deleted->seconds < limit;
}

}  // namespace

// An object that a token is bound to.
struct ServiceAccountAuthenticator::Wanted {
    std::string_view kind;  // as in messages: "pod"
    std::string_view resource;
    std::string_view space;
    std::string name;
    std::string uid;
};

base::Task<access::Authenticator::Answer> ServiceAccountAuthenticator::authenticate(
    const access::Credentials& credentials) {
    Answer answer = co_await inner_->authenticate(credentials);
    if (!answer || !*answer) co_return answer;
    KEELSON_CO_TRY_VOID(check(**answer));
    co_return answer;
}

Result<void> ServiceAccountAuthenticator::check(Identity& identity) const {
    std::string secret = take_extra(identity, secret_name_extra);
    std::string secret_uid = take_extra(identity, secret_uid_extra);
    std::string_view user = identity.user;
    if (!user.starts_with(access::service_account_user_prefix)) return base::ok();
    user.remove_prefix(access::service_account_user_prefix.size());
    std::size_t colon = user.find(':');
    if (colon == std::string_view::npos) return unauthorized("malformed service account user name");
    std::string_view space = user.substr(0, colon);
    KEELSON_TRY_VOID(check_account(space, user.substr(colon + 1), identity.uid));
    KEELSON_TRY_VOID(check_bound({"secret", "secrets", space, std::move(secret), std::move(secret_uid)}));
    std::string pod = extra_of(identity, pod_name_extra);
    bool has_pod = !pod.empty();
    KEELSON_TRY_VOID(check_bound({"pod", "pods", space, std::move(pod), extra_of(identity, pod_uid_extra)}));
    // The node of a pod's token only says where the pod was.
    if (has_pod) return base::ok();
    return check_bound(
        {"node", "nodes", "", extra_of(identity, node_name_extra), extra_of(identity, node_uid_extra)});
}

Result<void> ServiceAccountAuthenticator::check_account(std::string_view space, std::string_view name,
                                                        std::string_view uid) const {
    Arena arena;
    KEELSON_TRY(Value account, lookup_.get("", "serviceaccounts", space, name, arena));
    if (account.is_absent())
        return unauthorized("serviceaccounts " + std::string("\"") + std::string(name) + "\" not found");
    if (is_gone(account, clock_.wall_now()))
        return unauthorized("service account " + std::string(space) + "/" + std::string(name) +
                            " has been deleted");
    std::string_view actual = account["metadata"]["uid"].as_string();
    if (!uid.empty() && uid != actual)
        return unauthorized("service account UID (" + std::string(actual) + ") does not match claim (" +
                            std::string(uid) + ")");
    return base::ok();
}

Result<void> ServiceAccountAuthenticator::check_bound(const Wanted& wanted) const {
    if (wanted.name.empty()) return base::ok();
    Arena arena;
    KEELSON_TRY(Value object, lookup_.get("", wanted.resource, wanted.space, wanted.name, arena));
    if (object.is_absent() || is_gone(object, clock_.wall_now()))
        return unauthorized("service account token has been invalidated");
    std::string_view actual = object["metadata"]["uid"].as_string();
    if (wanted.uid == actual) return base::ok();
    const std::string kind(wanted.kind);
    return unauthorized(kind + " UID (" + std::string(actual) + ") does not match service account " + kind +
                        " ref claim (" + wanted.uid + ")");
}

}  // namespace keelson::resource
