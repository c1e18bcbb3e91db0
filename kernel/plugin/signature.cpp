#include "kernel/plugin/signature.h"

#include <vector>

#include "kernel/base/openssl.h"
#include "kernel/plugin/library_file.h"

namespace keelson::plugin {
namespace {

using base::Reason;
using base::Result;
using base::Status;

constexpr std::size_t kKeyLimitBytes = 64 << 10;
constexpr std::size_t kSignatureLimitBytes = 16 << 10;

using Key = base::OpensslOwned<EVP_PKEY>;

bool is_about(const TrustedKey& key, const std::string& id) {
    return key.vendor.empty() || id == key.vendor || id.starts_with(key.vendor + ".");
}

std::string file_name(const std::string& path) {
    return path.substr(path.rfind('/') + 1);
}

std::string directory_of(const std::string& path) {
    return path.substr(0, path.rfind('/'));
}

Result<Key> read_key(const std::string& path, std::uint32_t trusted_user) {
    KEELSON_TRY(const std::string text, read_trusted(path, trusted_user, kKeyLimitBytes));
    Key key(PEM_read_bio_PUBKEY(base::pem_reader(text).get(), nullptr, nullptr, nullptr));
    if (!key) return Status(Reason::forbidden, path + " is not a public key in PEM");
    return key;
}

// Ed25519 and Ed448 hash by themselves; for the others it is SHA-256.
bool verifies(EVP_PKEY* key, const std::string& text, const std::string& signature) {
    const int kind = EVP_PKEY_get_base_id(key);
    const EVP_MD* digest = kind == EVP_PKEY_ED25519 || kind == EVP_PKEY_ED448 ? nullptr : EVP_sha256();
    const base::OpensslOwned<EVP_MD_CTX> context(EVP_MD_CTX_new());
    auto bytes = [](const std::string& from) { return reinterpret_cast<const unsigned char*>(from.data()); };
    return context && EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, key) == 1 &&
           EVP_DigestVerify(context.get(), bytes(signature), signature.size(), bytes(text), text.size()) == 1;
}

}  // namespace

Result<void> check_signature(const HostSettings& settings, const SignedFiles& files) {
    const bool is_own =
        !settings.own_directory.empty() && directory_of(files.manifest_path) == settings.own_directory;
    std::vector<const TrustedKey*> keys;
    for (const TrustedKey& key : settings.trusted_keys)
        if (is_about(key, files.id)) keys.push_back(&key);
    if (keys.empty() || is_own) return base::ok();
    const std::string path = files.library_path + ".sig";
    auto signature = read_trusted(path, settings.trusted_user, kSignatureLimitBytes);
    if (!signature)
        return Status(Reason::forbidden, "plugins of " + files.id +
                                             "'s vendor must be signed (plugins.trustedKeys), but " +
                                             signature.error().message());
    const std::string text = files.manifest_sha256 + "  " + file_name(files.manifest_path) + "\n" +
                             files.library_sha256 + "  " + file_name(files.library_path) + "\n";
    std::string names;
    for (const TrustedKey* trusted : keys) {
        KEELSON_TRY(const Key key, read_key(trusted->file, settings.trusted_user));
        if (verifies(key.get(), text, *signature)) return base::ok();
        names += (names.empty() ? "" : ", ") + trusted->file;
    }
    return Status(Reason::forbidden, path + " is not a signature of " + files.manifest_path + " and " +
                                         files.library_path + " by " + names);
}

}  // namespace keelson::plugin
