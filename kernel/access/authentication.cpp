#include "kernel/access/authentication.h"

#include <algorithm>

#include "kernel/base/sha256.h"

namespace keelson::access {
namespace {

using base::Reason;
using base::Status;

Status unauthorized(std::string message) {
    return {Reason::unauthorized, std::move(message)};
}

// As Kubernetes lists them: ["a" "b"].
std::string quoted(const std::vector<std::string>& texts) {
    std::string result;
    for (const std::string& text : texts) result += (result.empty() ? "\"" : " \"") + text + "\"";
    return "[" + result + "]";
}

std::vector<std::string> common(const std::vector<std::string>& wanted, const std::vector<std::string>& had) {
    std::vector<std::string> both;
    for (const std::string& audience : wanted) {
        if (std::ranges::find(had, audience) != had.end()) both.push_back(audience);
    }
    return both;
}

Status unverified(const ClientCertificate& certificate) {
    return unauthorized("verifying certificate " + certificate.common_name +
                        " failed: " + certificate.verify_error);
}

std::string_view trim(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r'))
        text.remove_suffix(1);
    return text;
}

Identity identity_of(const ClientCertificate& certificate) {
    return {.user = certificate.common_name,
            .uid = certificate.uid,
            .groups = certificate.organizations,
            .extra = {{"authentication.kubernetes.io/credential-id",
                       {"X509SHA256=" + base::hexadecimal(certificate.sha256)}}}};
}

void join_authenticated(Identity& identity) {
    if (identity.user == anonymous_user || identity.in_group(authenticated_group) ||
        identity.in_group(unauthenticated_group))
        return;
    identity.groups.emplace_back(authenticated_group);
}

// One line of comma-separated fields; a field in double quotes may hold commas, "" is a quote in it.
std::optional<std::vector<std::string>> split_csv(std::string_view line) {
    std::vector<std::string> fields;
    for (;;) {
        std::string field;
        line = trim(line);
        if (line.starts_with('"')) {
            line.remove_prefix(1);
            for (;;) {
                const auto quote = line.find('"');
                if (quote == std::string_view::npos) return std::nullopt;
                field += line.substr(0, quote);
                line.remove_prefix(quote + 1);
                if (!line.starts_with('"')) break;
                field += '"';
                line.remove_prefix(1);
            }
            line = trim(line);
            if (!line.empty() && line.front() != ',') return std::nullopt;
        } else {
            const auto comma = line.find(',');
            field = trim(line.substr(0, comma));
            line.remove_prefix(comma == std::string_view::npos ? line.size() : comma);
        }
        fields.push_back(std::move(field));
        if (line.empty()) return fields;
        line.remove_prefix(1);
    }
}

}  // namespace

std::string bearer_token(std::string_view header) {
    header = trim(header);
    const auto space = header.find(' ');
    if (space != 6) return {};
    for (std::size_t i = 0; i < 6; ++i) {
        if ((header[i] | 0x20) != "bearer"[i]) return {};
    }
    const std::string_view rest = header.substr(7);
    return std::string(rest.substr(0, rest.find(' ')));
}

base::Task<Authenticator::Answer> CertificateAuthenticator::authenticate(const Credentials& credentials) {
    if (!credentials.certificate) co_return std::optional<Identity>();
    const ClientCertificate& certificate = *credentials.certificate;
    if (!certificate.verified) co_return unverified(certificate);
    if (certificate.common_name.empty()) co_return std::optional<Identity>();
    co_return std::optional<Identity>(identity_of(certificate));
}

base::Task<Authenticator::Answer> OwnCertificateAuthenticator::authenticate(const Credentials& credentials) {
    if (!credentials.certificate || !credentials.certificate->verified) co_return std::optional<Identity>();
    const std::lock_guard lock(mutex_);
    if (std::ranges::find(fingerprints_, credentials.certificate->sha256) == fingerprints_.end())
        co_return std::optional<Identity>();
    co_return std::optional<Identity>(identity_of(*credentials.certificate));
}

void OwnCertificateAuthenticator::set_fingerprints(std::vector<base::Sha256Digest> fingerprints) {
    const std::lock_guard lock(mutex_);
    fingerprints_ = std::move(fingerprints);
}

base::Task<Authenticator::Answer> TokenAuthenticator::authenticate(const Credentials& credentials) {
    if (credentials.bearer_token.empty()) co_return std::optional<Identity>();
    const base::Sha256Digest key = base::sha256_of(credentials.bearer_token);
    const std::lock_guard lock(mutex_);
    const auto found = identities_.find(key);
    if (found == identities_.end()) co_return std::optional<Identity>();
    co_return std::optional<Identity>(found->second);
}

void TokenAuthenticator::set_tokens(const std::vector<Entry>& entries) {
    std::map<base::Sha256Digest, Identity> identities;
    for (const Entry& entry : entries)
        identities.insert_or_assign(base::sha256_of(entry.token), entry.identity);
    const std::lock_guard lock(mutex_);
    identities_.swap(identities);
}

base::Result<std::vector<TokenAuthenticator::Entry>> parse_token_file(std::string_view text) {
    std::vector<TokenAuthenticator::Entry> entries;
    for (int line_number = 1; !text.empty(); ++line_number) {
        const auto end = text.find('\n');
        const std::string_view line = trim(text.substr(0, end));
        text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
        if (line.empty()) continue;
        const auto fields = split_csv(line);
        if (!fields || fields->size() < 3 || (*fields)[0].empty() || (*fields)[1].empty())
            return Status(Reason::bad_request, "line " + std::to_string(line_number) +
                                                   ": must be token,user,uid[,\"group1,group2\"]");
        TokenAuthenticator::Entry entry{
            .token = (*fields)[0],
            .identity = {.user = (*fields)[1], .uid = (*fields)[2], .groups = {}, .extra = {}}};
        if (fields->size() >= 4) {
            if (auto groups = split_csv((*fields)[3])) {
                for (std::string& group : *groups) {
                    if (!group.empty()) entry.identity.groups.push_back(std::move(group));
                }
            }
        }
        entries.push_back(std::move(entry));
    }
    return entries;
}

base::Task<base::Result<Identity>> Authentication::authenticate(Credentials credentials) const {
    std::optional<Status> failure;
    for (const auto& authenticator : chain_) {
        auto answer = co_await authenticator->authenticate(credentials);
        if (!answer) {
            failure = std::move(answer).error();
        } else if (*answer) {
            Identity identity = std::move(**answer);
            identity.audiences.clear();
            join_authenticated(identity);
            co_return identity;
        }
    }
    // The caller learns no more than Kubernetes tells: which credential was wrong, and why, is for the log.
    const bool shown = !credentials.bearer_token.empty();
    if (failure || shown || !anonymous_allowed_) co_return unauthorized("Unauthorized");
    co_return anonymous_identity();
}

base::Task<base::Result<Identity>> Authentication::authenticate_token(
    std::string token, std::vector<std::string> audiences) const {
    if (audiences.empty()) audiences = audiences_;
    const Credentials credentials{
        .bearer_token = std::move(token), .certificate = std::nullopt, .audiences = std::move(audiences)};
    std::optional<Status> failure;
    for (const auto& authenticator : chain_) {
        auto answer = co_await authenticator->authenticate(credentials);
        if (!answer) {
            failure = std::move(answer).error();
        } else if (*answer) {
            Identity identity = std::move(**answer);
            // Who does not say whom a token is for knows tokens for the API server only.
            const auto& had = identity.audiences.empty() ? audiences_ : identity.audiences;
            if (had.empty()) {
                identity.audiences = credentials.audiences;
            } else if (!credentials.audiences.empty()) {
                std::vector<std::string> both = common(credentials.audiences, had);
                if (both.empty())
                    co_return unauthorized("token audiences " + quoted(had) +
                                           " is invalid for the target audiences " +
                                           quoted(credentials.audiences));
                identity.audiences = std::move(both);
            }
            join_authenticated(identity);
            co_return identity;
        }
    }
    if (failure) co_return *failure;
    co_return unauthorized("invalid bearer token");
}

}  // namespace keelson::access
