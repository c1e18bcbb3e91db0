#include "kernel/object/names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernel/object/addresses.h"

namespace keelson::object {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Names, Labels) {
    EXPECT_THAT(is_dns1123_label("a-b0"), IsEmpty());
    EXPECT_THAT(is_dns1123_label("a.b"), ElementsAre("must not contain dots"));
    EXPECT_THAT(is_dns1123_label("-a"), ElementsAre(HasSubstr("a lowercase RFC 1123 label must consist of")));
    EXPECT_THAT(is_dns1123_label(std::string(64, 'a')), ElementsAre("must be no more than 63 characters"));
    EXPECT_THAT(is_dns1035_label("0a"), ElementsAre(HasSubstr("(e.g. 'my-name',  or 'abc-123', regex used")));
}

TEST(Names, Subdomains) {
    EXPECT_THAT(is_dns1123_subdomain("a.b-c.d"), IsEmpty());
    for (std::string_view bad : {"", ".", "a..b", "a.", ".a", "a-.b", "a.-b", "A", "a_b"})
        EXPECT_THAT(is_dns1123_subdomain(bad), testing::SizeIs(1)) << bad;
    EXPECT_THAT(is_wildcard_dns1123_subdomain("*.a.b"), IsEmpty());
    EXPECT_THAT(is_wildcard_dns1123_subdomain("a.*.b"), testing::SizeIs(1));
}

TEST(Names, QualifiedNames) {
    EXPECT_THAT(is_qualified_name("example.org/My.name"), IsEmpty());
    EXPECT_THAT(is_qualified_name(""), ElementsAre("name part must be non-empty",
                                                   HasSubstr("name part must consist of alphanumeric")));
    EXPECT_THAT(is_qualified_name("/a"), ElementsAre("prefix part must be non-empty"));
    EXPECT_THAT(is_qualified_name("a/b/c"),
                ElementsAre(HasSubstr("with an optional DNS subdomain prefix and '/'")));
    EXPECT_THAT(is_label_value(std::string(64, 'v')), ElementsAre("must be no more than 63 bytes"));
    EXPECT_THAT(is_label_value(""), IsEmpty());
}

TEST(Names, Others) {
    EXPECT_THAT(is_port_name("a--"),
                ElementsAre("must not contain consecutive hyphens", "must not begin or end with a hyphen"));
    EXPECT_THAT(is_port_name("80"), ElementsAre("must contain at least one letter (a-z)"));
    EXPECT_THAT(is_port_number(0), ElementsAre("must be between 1 and 65535, inclusive"));
    EXPECT_THAT(is_config_map_key(".."), ElementsAre("must not be '..'"));
    EXPECT_THAT(is_relaxed_environment_name("a=b"), testing::SizeIs(1));
    EXPECT_THAT(is_relaxed_environment_name("a b"), IsEmpty());
    EXPECT_THAT(is_path_segment("a/b"), ElementsAre("may not contain '/'"));
    EXPECT_THAT(is_path_segment(".."), ElementsAre("may not be '..'"));
    EXPECT_THAT(name_is_dns_label("web-", true), IsEmpty());
    EXPECT_EQ(percent_value("25%"), 25);
    EXPECT_EQ(percent_value("25"), -1);
}

TEST(Addresses, ParsesAndPrints) {
    auto printed = [](std::string_view text) {
        auto address = IpAddress::parse(text);
        return address ? address->to_string() : std::string("bad");
    };
    EXPECT_EQ(printed("10.0.0.1"), "10.0.0.1");
    EXPECT_EQ(printed("2001:0db8:0:0:0:0:0:1"), "2001:db8::1");
    EXPECT_EQ(printed("::"), "::");
    EXPECT_EQ(printed("1::"), "1::");
    EXPECT_EQ(printed("1:0:0:2:0:0:0:3"), "1:0:0:2::3");
    EXPECT_EQ(printed("::ffff:1.2.3.4"), "1.2.3.4");
    for (std::string_view bad :
         {"", "1", "1.2.3", "1.2.3.256", "1.2.3.4.5", ":::", "1::2::3", "12345::", "g::"})
        EXPECT_EQ(printed(bad), "bad") << bad;
    EXPECT_TRUE(IpAddress::parse("010.0.0.1")->has_leading_zeros);
    EXPECT_TRUE(IpNetwork::parse("10.0.0.0/8")->contains(*IpAddress::parse("10.9.9.9")));
    EXPECT_FALSE(IpNetwork::parse("10.0.0.0/33"));
}

TEST(Addresses, StrictChecksNameTheFault) {
    auto messages = [](std::string_view text) {
        FieldErrors errors;
        validate_cidr(errors, FieldPath("cidr"), text);
        return errors.empty() ? std::string() : errors.all()[0].detail;
    };
    EXPECT_EQ(messages("10.0.0.0/8"), "");
    EXPECT_EQ(messages("10.1.0.0/8"), "must not have bits set beyond the prefix length");
    EXPECT_EQ(messages("010.0.0.0/8"), "must not have leading 0s in IP or prefix length");
    EXPECT_EQ(messages("x"), "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)");
}

}  // namespace
}  // namespace keelson::object
