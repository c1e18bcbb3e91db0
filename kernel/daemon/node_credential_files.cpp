#include "kernel/base/files.h"
#include "kernel/daemon/node_join.h"

namespace keelson::daemon {
namespace {

using base::Reason;
using base::Result;
using base::Status;

constexpr std::string_view kAuthority = "cluster-ca.crt";
constexpr std::string_view kPresent = "node-client";
// A pair on its way to its place: two files cannot be replaced at once.
constexpr std::string_view kNext = "node-client-next";

Result<std::string> read_if_there(const std::string& path) {
    if (!base::exists(path)) return std::string();
    return base::read_file(path, 1 << 20);
}

Result<KeyAndCertificate> read_pair(const std::string& stem) {
    KEELSON_TRY(std::string key, read_if_there(stem + ".key"));
    KEELSON_TRY(std::string certificate, read_if_there(stem + ".crt"));
    return KeyAndCertificate{std::move(key), std::move(certificate)};
}

Result<void> write_pair(const std::string& stem, const KeyAndCertificate& pair) {
    KEELSON_TRY_VOID(base::write_file_atomic(stem + ".key", pair.key, 0600));
    return base::write_file_atomic(stem + ".crt", pair.certificate, 0600);
}

}  // namespace

NodeCredentialFiles::NodeCredentialFiles(const std::string& data_directory)
    : directory_(data_directory + "/pki") {}

Result<std::optional<NodeCredentials>> NodeCredentialFiles::read(const std::string& node_name,
                                                                 base::WallTime now) const {
    KEELSON_TRY(std::string authority, read_if_there(path(std::string(kAuthority))));
    KEELSON_TRY(KeyAndCertificate pair, read_pair(path(std::string(kPresent))));
    if (!belong_together(authority, pair)) {
        KEELSON_TRY(pair, read_pair(path(std::string(kNext))));
        if (!belong_together(authority, pair)) return std::optional<NodeCredentials>();
    }
    KEELSON_TRY(const CertificateFacts facts, read_certificate(pair.certificate));
    if (facts.common_name != "system:node:" + node_name)
        return Status(Reason::bad_request,
                      path(std::string(kPresent)) + ".crt is for " + facts.common_name +
                          ", not for the node " + node_name +
                          ": set node.name to that name, or remove the file to join anew");
    if (now >= facts.not_after) return std::optional<NodeCredentials>();
    return std::optional(NodeCredentials{std::move(authority), std::move(pair)});
}

Result<void> NodeCredentialFiles::write(const NodeCredentials& credentials) const {
    KEELSON_TRY_VOID(base::make_directory(directory_, 0700));
    KEELSON_TRY_VOID(base::write_file_atomic(path(std::string(kAuthority)), credentials.authority, 0600));
    return write_client(credentials.client);
}

Result<void> NodeCredentialFiles::write_client(const KeyAndCertificate& client) const {
    const std::string next = path(std::string(kNext));
    KEELSON_TRY_VOID(write_pair(next, client));
    KEELSON_TRY_VOID(write_pair(path(std::string(kPresent)), client));
    KEELSON_TRY_VOID(base::remove_file(next + ".crt"));
    return base::remove_file(next + ".key");
}

}  // namespace keelson::daemon
