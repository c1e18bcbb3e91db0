// Plugins of vendors whose keys the operator trusts.
#include "kernel/plugin/signature.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "kernel/plugin/library_file.h"
#include "tests/plugin/host_fixture.h"

namespace keelson::plugin {
namespace {

using base::Reason;
using testing::HasSubstr;

struct Free {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using Key = std::unique_ptr<EVP_PKEY, Free>;

class SignatureTest : public HostTest {
  protected:
    static Key ed25519() { return Key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")); }
    static Key ecdsa() { return Key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256")); }

    std::string publish(const std::string& name, const Key& key) {
        const std::string path = root_ + "/" + name;
        std::FILE* file = std::fopen(path.c_str(), "w");
        EXPECT_EQ(PEM_write_PUBKEY(file, key.get()), 1);
        std::fclose(file);
        ::chmod(path.c_str(), 0644);
        return path;
    }
    // As `sha256sum probe.yaml probe.so | openssl pkeyutl -sign -rawin ...` in the plugin's directory.
    void sign(const Key& key) {
        const std::string directory = settings_.directory;
        const std::string text = sum_of(directory + "/probe.yaml") + "  probe.yaml\n" +
                                 sum_of(directory + "/probe.so") + "  probe.so\n";
        const bool hashes = EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_ED25519;
        const std::unique_ptr<EVP_MD_CTX, Free> context(EVP_MD_CTX_new());
        ASSERT_EQ(
            EVP_DigestSignInit(context.get(), nullptr, hashes ? EVP_sha256() : nullptr, nullptr, key.get()),
            1);
        const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
        std::string signature(512, '\0');
        std::size_t size = signature.size();
        ASSERT_EQ(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                                 bytes, text.size()),
                  1);
        write(directory + "/probe.so.sig", signature.substr(0, size));
    }
    static std::string sum_of(const std::string& path) {
        return sha256_of(*read_trusted(path, ::getuid(), std::size_t{64} << 20));
    }
    // The state after a fresh start.
    State started() {
        stop(true);
        start();
        return info().state;
    }
};

TEST_F(SignatureTest, ASignedPluginRuns) {
    place(settings_.directory);
    for (const Key& key : {ed25519(), ecdsa()}) {
        settings_.trusted_keys = {{publish("vendor.pem", key), "com.example"}};
        sign(key);
        EXPECT_EQ(started(), State::ready) << info().reason;
    }
}

TEST_F(SignatureTest, AnUnsignedOneIsRefusedByName) {
    place(settings_.directory);
    settings_.trusted_keys = {{publish("vendor.pem", ed25519()), ""}};
    EXPECT_EQ(started(), State::failed);
    EXPECT_THAT(info().reason, HasSubstr("must be signed"));
    EXPECT_THAT(info().reason, HasSubstr("probe.so.sig"));
}

TEST_F(SignatureTest, SignaturesOfOthersAndOfOtherFilesAreRefused) {
    place(settings_.directory);
    const Key vendor = ed25519();
    settings_.trusted_keys = {{publish("vendor.pem", vendor), "com.example"}};
    sign(ed25519());
    EXPECT_EQ(started(), State::failed);
    EXPECT_THAT(info().reason, HasSubstr("is not a signature of"));
    sign(vendor);
    EXPECT_EQ(started(), State::ready) << info().reason;
    // The same library with a manifest that wants more.
    write(settings_.directory + "/probe.yaml",
          *read_trusted(settings_.directory + "/probe.yaml", ::getuid(), 10'000) +
              "privileges: {seccomp: unconfined}\n");
    EXPECT_EQ(started(), State::failed);
    place(settings_.directory, "two");
    EXPECT_EQ(started(), State::failed);
    for (const std::string& broken : {std::string(), std::string("nonsense"), std::string(64, '\0')}) {
        write(settings_.directory + "/probe.so.sig", broken);
        EXPECT_EQ(started(), State::failed);
    }
    sign(vendor);
    EXPECT_EQ(started(), State::ready) << info().reason;
}

TEST_F(SignatureTest, AnyKeyOfTheVendorWillDo) {
    place(settings_.directory);
    const Key second = ecdsa();
    settings_.trusted_keys = {{publish("one.pem", ed25519()), "com.example"},
                              {publish("two.pem", second), "com.example.probe"}};
    sign(second);
    EXPECT_EQ(started(), State::ready) << info().reason;
}

TEST_F(SignatureTest, KeysAreAboutTheirVendorAlone) {
    place(settings_.directory);
    settings_.trusted_keys = {{publish("other.pem", ed25519()), "com.exam"}};
    EXPECT_EQ(started(), State::ready) << info().reason;
    settings_.trusted_keys = {{publish("all.pem", ed25519()), ""}};
    settings_.own_directory = settings_.directory;
    EXPECT_EQ(started(), State::ready) << "it came with the program: " << info().reason;
}

TEST_F(SignatureTest, AKeyThatCannotBeReadRefusesThePlugin) {
    place(settings_.directory);
    sign(ed25519());
    settings_.trusted_keys = {{root_ + "/absent.pem", ""}};
    EXPECT_EQ(started(), State::failed);
    write(root_ + "/absent.pem", "not a key");
    EXPECT_EQ(started(), State::failed);
    EXPECT_THAT(info().reason, HasSubstr("is not a public key"));
    ::chmod((root_ + "/absent.pem").c_str(), 0666);
    EXPECT_EQ(started(), State::failed);
    EXPECT_THAT(info().reason, HasSubstr("writable for group or others"));
}

}  // namespace
}  // namespace keelson::plugin
