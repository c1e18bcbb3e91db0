#include <gtest/gtest.h>

#include <set>

#include "kernel/base/base64.h"
#include "kernel/base/crc32c.h"
#include "kernel/base/ids.h"
#include "kernel/base/sha256.h"

namespace keelson::base {
namespace {

TEST(Crc32c, KnownAnswers) {
    EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
    EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);  // RFC 3720, B.4
    EXPECT_EQ(crc32c(""), 0u);
}

TEST(Crc32c, TableAndInstructionAgreeAndPiecesChain) {
    SeededRandom random(7);
    std::string bytes(1000, '\0');
    random.fill(bytes.data(), bytes.size());
    for (std::size_t size = 0; size < bytes.size(); size += 13) {
        const auto view = std::string_view(bytes).substr(0, size);
        EXPECT_EQ(crc32c(view, 5), detail::crc32c_by_table(view, 5));
        EXPECT_EQ(crc32c(view.substr(size / 3), crc32c(view.substr(0, size / 3))), crc32c(view));
    }
}

TEST(Base64, KnownAnswers) {
    EXPECT_EQ(base64_encode(""), "");
    EXPECT_EQ(base64_encode("f"), "Zg==");
    EXPECT_EQ(base64_encode("fo"), "Zm8=");
    EXPECT_EQ(base64_encode("foobar"), "Zm9vYmFy");
    EXPECT_EQ(base64_encode("\xfb\xff", Base64::url), "-_8");
    EXPECT_EQ(base64_decode("Zm9v\nYg==").value(), "foob");
    EXPECT_EQ(base64_decode("-_8", Base64::url).value(), "\xfb\xff");
}

TEST(Base64, RoundTrip) {
    SeededRandom random(3);
    for (std::size_t size = 0; size < 70; ++size) {
        std::string bytes(size, '\0');
        random.fill(bytes.data(), bytes.size());
        for (const auto alphabet : {Base64::standard, Base64::url}) {
            EXPECT_EQ(base64_decode(base64_encode(bytes, alphabet), alphabet).value(), bytes);
        }
    }
}

TEST(Base64, RefusesWhatIsNot) {
    for (const char* text : {"Z", "Zg", "Zg=", "Zg===", "Zm9v=", "Z*==", "Zg==Zg==", "====", "-_8="}) {
        EXPECT_FALSE(base64_decode(text)) << text;
    }
    EXPECT_EQ(base64_decode("Zm9*").error().message(), "illegal base64 data at input byte 3");
}

TEST(Ids, UuidHasVersionAndVariant) {
    std::set<std::string> seen;
    for (int count = 0; count < 1000; ++count) {
        const std::string uuid = make_uuid();
        ASSERT_EQ(uuid.size(), 36u);
        EXPECT_EQ(uuid[14], '4');
        EXPECT_NE(std::string("89ab").find(uuid[19]), std::string::npos);
        EXPECT_TRUE(seen.insert(uuid).second);
    }
}

TEST(Ids, SuffixUsesTheAlphabetAndSeedsRepeat) {
    const std::string suffix = make_random_suffix(500);
    EXPECT_EQ(suffix.find_first_not_of("bcdfghjklmnpqrstvwxz2456789"), std::string::npos);
    SeededRandom one(9);
    SeededRandom two(9);
    EXPECT_EQ(make_random_suffix(5, one), make_random_suffix(5, two));
    EXPECT_EQ(make_uuid(one), make_uuid(two));
}

TEST(Sha256, KnownAnswers) {
    EXPECT_EQ(hexadecimal(sha256_of("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    // FIPS 180-4, the example of two blocks.
    Sha256 sum;
    sum.add("abcdbcdecdefdefgefghfghi");
    sum.add("ghijhijkijkljklmklmnlmnomnopnopq");
    EXPECT_EQ(hexadecimal(sum.finish()), "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

}  // namespace
}  // namespace keelson::base
