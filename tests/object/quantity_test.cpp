#include "kernel/object/quantity.h"

#include <gtest/gtest.h>

namespace keelson::object {
namespace {

std::string canonical(std::string_view text) {
    auto parsed = Quantity::parse(text);
    return parsed ? parsed->to_string() : parsed.error().message();
}

TEST(Quantity, KeepsItsFormatInCanonicalForm) {
    EXPECT_EQ(canonical("1000m"), "1");
    EXPECT_EQ(canonical("0.5"), "500m");
    EXPECT_EQ(canonical("1.5Gi"), "1536Mi");
    EXPECT_EQ(canonical("1024Ki"), "1Mi");
    EXPECT_EQ(canonical("1500Mi"), "1500Mi");
    EXPECT_EQ(canonical("0.5Ki"), "512");
    EXPECT_EQ(canonical("1E3"), "1e3");
    EXPECT_EQ(canonical("1e10"), "10e9");
    EXPECT_EQ(canonical("1000k"), "1M");
    EXPECT_EQ(canonical("-5m"), "-5m");
    EXPECT_EQ(canonical("-0"), "0");
    EXPECT_EQ(canonical("+3"), "3");
    EXPECT_EQ(canonical(".5"), "500m");
}

TEST(Quantity, RoundsUpToNanoAndIsCapped) {
    EXPECT_EQ(canonical("0.0000000001"), "1n");
    EXPECT_EQ(canonical("0.1234567891"), "123456790n");
    EXPECT_EQ(canonical("12345678901234567890123"), "9223372036854775807");
    EXPECT_EQ(canonical("16Ei"), "9223372036854775807");
    EXPECT_EQ(canonical("0.0001Ki"), "102400u");
}

TEST(Quantity, NamesWhatIsWrong) {
    constexpr std::string_view kFormat =
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
    EXPECT_EQ(canonical(""), kFormat);
    EXPECT_EQ(canonical("abc"), kFormat);
    EXPECT_EQ(canonical("1_"), kFormat);
    EXPECT_EQ(canonical("1 Gi"), kFormat);
    EXPECT_EQ(canonical("1KiB"), kFormat);
    EXPECT_EQ(canonical("1Kim"), "unable to parse quantity's suffix");
    EXPECT_EQ(canonical("1e"), "unable to parse quantity's suffix");
}

TEST(Quantity, Calculates) {
    Quantity sum = *Quantity::parse("100m");
    sum.add(*Quantity::parse("1"));
    EXPECT_EQ(sum.to_string(), "1100m");
    EXPECT_EQ(sum.value(), 2);
    EXPECT_EQ(sum.milli_value(), 1100);
    sum.subtract(*Quantity::parse("1100m"));
    EXPECT_TRUE(sum.is_zero());
    Quantity zero;
    zero.add(*Quantity::parse("2Gi"));
    EXPECT_EQ(zero.to_string(), "2Gi");
    EXPECT_LT(*Quantity::parse("999Mi"), *Quantity::parse("1Gi"));
    EXPECT_EQ(*Quantity::parse("1Ki"), *Quantity::parse("1024"));
    EXPECT_EQ(Quantity::parse("-1500m")->value(), -2);
    EXPECT_GT(*Quantity::parse("1e1000000"), *Quantity::parse("1E"));
}

}  // namespace
}  // namespace keelson::object
