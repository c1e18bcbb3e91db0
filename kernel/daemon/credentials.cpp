#include "kernel/daemon/credentials.h"

#include <unistd.h>

#include <algorithm>

#include "kernel/base/base64.h"
#include "kernel/base/files.h"

namespace keelson::daemon {
namespace {

using base::Result;
using base::Status;
using base::WallTime;

// Clocks of clients may run behind ours.
constexpr base::Duration clock_skew = std::chrono::minutes(5);

struct Paths {
    explicit Paths(const std::string& directory) : root(directory), pki(directory + "/pki") {}
    std::string root;
    std::string pki;
    [[nodiscard]] std::string key(const std::string& name) const { return pki + "/" + name + ".key"; }
    [[nodiscard]] std::string certificate(const std::string& name) const { return pki + "/" + name + ".crt"; }
};

// The file's content; empty when there is no such file.
Result<std::string> read_if_there(const std::string& path) {
    if (!base::exists(path)) return std::string();
    return base::read_file(path, 1 << 20);
}

Result<KeyAndCertificate> read_pair(const Paths& paths, const std::string& name) {
    KEELSON_TRY(std::string key, read_if_there(paths.key(name)));
    KEELSON_TRY(std::string certificate, read_if_there(paths.certificate(name)));
    return KeyAndCertificate{std::move(key), std::move(certificate)};
}

// Key first: a certificate without its key would be of no use, a key without certificate is issued one.
Result<void> write_pair(const Paths& paths, const std::string& name, const KeyAndCertificate& pair) {
    KEELSON_TRY_VOID(base::write_file_atomic(paths.key(name), pair.key, 0600));
    return base::write_file_atomic(paths.certificate(name), pair.certificate, 0600);
}

// A third of the life is left at this time.
WallTime renewal_time(const CertificateFacts& facts) {
    return facts.not_after - (facts.not_after - facts.not_before) / 3;
}

Result<KeyAndCertificate> ensure_authority(const Paths& paths, const CredentialOptions& options, WallTime now,
                                           WallTime& renew_at) {
    KEELSON_TRY(KeyAndCertificate pair, read_pair(paths, "ca"));
    if (!pair.certificate.empty() && pair.key.empty())
        return Status(base::Reason::internal_error, paths.key("ca") + " is missing though " +
                                                        paths.certificate("ca") + " is there; restore it");
    if (!pair.certificate.empty()) {
        auto facts = read_certificate(pair.certificate);
        if (!facts) return std::move(facts).error().with_context(paths.certificate("ca") + ": ");
        if (now < renewal_time(*facts)) {
            renew_at = std::min(renew_at, renewal_time(*facts));
            return pair;
        }
    }
    // The same key is signed again, so that certificates issued before stay good.
    KEELSON_TRY(pair,
                make_authority("keelson-ca", now - clock_skew, now + options.authority_lifetime, pair.key));
    KEELSON_TRY_VOID(write_pair(paths, "ca", pair));
    KEELSON_TRY(const CertificateFacts facts, read_certificate(pair.certificate));
    renew_at = std::min(renew_at, renewal_time(facts));
    return pair;
}

bool is_good(const KeyAndCertificate& pair, const KeyAndCertificate& authority,
             const CertificateRequest& wanted, WallTime now) {
    if (pair.key.empty() || pair.certificate.empty() || !belong_together(authority.certificate, pair))
        return false;
    const auto facts = read_certificate(pair.certificate);
    return facts && now < renewal_time(*facts) && now >= facts->not_before && facts->names == wanted.names &&
           facts->common_name == wanted.common_name && facts->organizations == wanted.organizations;
}

Result<KeyAndCertificate> ensure_leaf(const Paths& paths, const std::string& name,
                                      const KeyAndCertificate& authority, CertificateRequest wanted,
                                      const CredentialOptions& options, WallTime now, WallTime& renew_at,
                                      bool& changed) {
    wanted.not_before = now - clock_skew;
    wanted.not_after = now + options.leaf_lifetime;
    KEELSON_TRY(KeyAndCertificate pair, read_pair(paths, name));
    changed = !is_good(pair, authority, wanted, now);
    if (changed) {
        KEELSON_TRY(pair, issue(authority, wanted));
        KEELSON_TRY_VOID(write_pair(paths, name, pair));
    }
    KEELSON_TRY(const CertificateFacts facts, read_certificate(pair.certificate));
    renew_at = std::min(renew_at, renewal_time(facts));
    return pair;
}

Result<void> ensure_service_account_key(const Paths& paths, Credentials& credentials) {
    KEELSON_TRY(credentials.service_account_key, read_if_there(paths.key("service-account")));
    if (credentials.service_account_key.empty()) {
        KEELSON_TRY(credentials.service_account_key, make_private_key());
        KEELSON_TRY_VOID(
            base::write_file_atomic(paths.key("service-account"), credentials.service_account_key, 0600));
    }
    auto public_key = public_key_of(credentials.service_account_key);
    if (!public_key) return std::move(public_key).error().with_context(paths.key("service-account") + ": ");
    credentials.service_account_public_key = std::move(*public_key);
    const std::string path = paths.pki + "/service-account.pub";
    if (!base::exists(path))
        return base::write_file_atomic(path, credentials.service_account_public_key, 0600);
    return base::ok();
}

Result<std::string> ensure_token(const Paths& paths, base::RandomSource& random) {
    const std::string path = paths.root + "/admin.token";
    KEELSON_TRY(std::string token, read_if_there(path));
    while (!token.empty() && (token.back() == '\n' || token.back() == ' ')) token.pop_back();
    if (!token.empty()) return token;
    std::string bytes(32, '\0');
    random.fill(bytes.data(), bytes.size());
    token = base::base64_encode(bytes, base::Base64::url);
    KEELSON_TRY_VOID(base::write_file_atomic(path, token + "\n", 0600));
    return token;
}

std::string kubeconfig(const Credentials& credentials, std::uint16_t port) {
    return "apiVersion: v1\n"
           "kind: Config\n"
           "clusters:\n"
           "- name: keelson\n"
           "  cluster:\n"
           "    server: https://127.0.0.1:" +
           std::to_string(port) +
           "\n"
           "    certificate-authority-data: " +
           base::base64_encode(credentials.authority.certificate) +
           "\n"
           "users:\n"
           "- name: admin\n"
           "  user:\n"
           "    client-certificate-data: " +
           base::base64_encode(credentials.admin.certificate) +
           "\n"
           "    client-key-data: " +
           base::base64_encode(credentials.admin.key) +
           "\n"
           "contexts:\n"
           "- name: admin@keelson\n"
           "  context:\n"
           "    cluster: keelson\n"
           "    user: admin\n"
           "current-context: admin@keelson\n";
}

}  // namespace

std::vector<std::string> server_certificate_names(const std::vector<std::string>& further) {
    std::vector<std::string> names{"localhost",
                                   "127.0.0.1",
                                   "::1",
                                   "10.96.0.1",
                                   "kubernetes",
                                   "kubernetes.default",
                                   "kubernetes.default.svc",
                                   "kubernetes.default.svc.cluster.local"};
    char host[256] = {};
    if (::gethostname(host, sizeof host - 1) == 0 && host[0] != '\0') names.emplace_back(host);
    for (const std::string& name : further) names.push_back(normal_name(name));
    std::ranges::sort(names);
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
}

Result<Credentials> ensure_credentials(const CredentialOptions& options, const base::Clock& clock,
                                       base::RandomSource& random) {
    const Paths paths(options.directory);
    const WallTime now = clock.wall_now();
    Credentials credentials;
    credentials.renew_at = WallTime::max();
    KEELSON_TRY_VOID(base::make_directory(paths.pki, 0700));
    KEELSON_TRY(credentials.authority, ensure_authority(paths, options, now, credentials.renew_at));
    const CertificateRequest server{.common_name = "keelson",
                                    .organizations = {},
                                    .names = server_certificate_names(options.server_names),
                                    .for_server = true,
                                    .not_before = {},
                                    .not_after = {}};
    KEELSON_TRY(credentials.server, ensure_leaf(paths, "server", credentials.authority, server, options, now,
                                                credentials.renew_at, credentials.server_changed));
    const CertificateRequest admin{.common_name = "admin",
                                   .organizations = {"system:masters"},
                                   .names = {},
                                   .for_client = true,
                                   .not_before = {},
                                   .not_after = {}};
    bool admin_changed = false;
    KEELSON_TRY(credentials.admin, ensure_leaf(paths, "admin", credentials.authority, admin, options, now,
                                               credentials.renew_at, admin_changed));
    KEELSON_TRY_VOID(ensure_service_account_key(paths, credentials));
    KEELSON_TRY(credentials.admin_token, ensure_token(paths, random));

    const std::string path = paths.root + "/admin.kubeconfig";
    const std::string wanted = kubeconfig(credentials, options.api_port);
    KEELSON_TRY(const std::string present, read_if_there(path));
    if (present != wanted) KEELSON_TRY_VOID(base::write_file_atomic(path, wanted, 0600));
    return credentials;
}

}  // namespace keelson::daemon
