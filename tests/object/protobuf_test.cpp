#include "kernel/object/protobuf.h"

#include <gtest/gtest.h>

#include <random>

#include "kernel/object/conform.h"
#include "kernel/object/json.h"
#include "tests/support/object_generator.h"

namespace keelson::object {
namespace {

using keelson::testing::ObjectGenerator;
using keelson::testing::top_level_types;

std::string hex(std::string_view bytes) {
    std::string out;
    for (unsigned char byte : bytes) {
        if (!out.empty()) out += ' ';
        out += "0123456789abcdef"[byte >> 4];
        out += "0123456789abcdef"[byte & 15];
    }
    return out;
}

std::string encoded(std::string_view type_id, std::string_view json) {
    Arena arena;
    const Type& type = *find_type(type_id);
    std::string out;
    encode_message(type, *conform(type, *parse_json(json, arena), arena), out);
    return out;
}

// A message as canonical JSON, or "error: ..."
std::string decoded(std::string_view type_id, std::string_view bytes) {
    Arena arena;
    const Type& type = *find_type(type_id);
    auto value = decode_message(type, bytes, arena);
    if (!value) return "error: " + value.error().message();
    auto typed = conform(type, *value, arena);
    return typed ? to_json(*typed) : "error: " + typed.error().message();
}

TEST(Protobuf, WritesWhatGoWrites) {
    // Strings, numbers and structs that are no pointers are always written, lists and maps only with members.
    EXPECT_EQ(hex(encoded("core/v1.Namespace", R"({"metadata":{"name":"a"}})")),
              "0a 11 0a 01 61 12 00 1a 00 22 00 2a 00 32 00 38 00 42 00 "  // metadata
              "12 00 "                                                     // spec
              "1a 02 0a 00");                                              // status.phase
    EXPECT_EQ(hex(encoded("intstr.IntOrString", "{}")), hex(""));
    EXPECT_EQ(hex(encoded("core/v1.ContainerPort", R"({"containerPort":80,"name":"w"})")),
              "0a 01 77 10 00 18 50 22 00 2a 00");
}

TEST(Protobuf, SortsMapsAndExtendsSigns) {
    EXPECT_EQ(hex(encoded("meta/v1.LabelSelector", R"({"matchLabels":{"b":"2","a":"1"}})")),
              "0a 06 0a 01 61 12 01 31 0a 06 0a 01 62 12 01 32");
    EXPECT_EQ(hex(encoded("core/v1.HTTPGetAction", R"({"port":-1})").substr(2, 13)),
              "12 0f 08 00 10 ff ff ff ff ff ff ff ff");
}

TEST(Protobuf, SkipsUnknownFields) {
    std::string message = encoded("core/v1.Namespace", R"({"metadata":{"name":"a"}})");
    std::string with_more = message + std::string("\xf8\x07\x05", 3)  // field 127, a number
                            + std::string("\xfa\x07\x02xy", 5)        // text
                            + std::string(
                                  "\xf9\x07"
                                  "12345678",
                                  10)  // eight bytes
                            + std::string(
                                  "\xfd\x07"
                                  "1234",
                                  6);  // four bytes
    EXPECT_EQ(decoded("core/v1.Namespace", with_more), decoded("core/v1.Namespace", message));
}

TEST(Protobuf, TheLastOfRepeatedScalarsWins) {
    EXPECT_EQ(decoded("core/v1.LocalObjectReference", std::string("\x0a\x01"
                                                                  "a"
                                                                  "\x0a\x01"
                                                                  "b",
                                                                  6)),
              R"({"name":"b"})");
}

TEST(Protobuf, ReplacesInvalidUtf8) {
    EXPECT_EQ(decoded("core/v1.LocalObjectReference", std::string("\x0a\x02"
                                                                  "a\xff",
                                                                  4)),
              "{\"name\":\"a\xef\xbf\xbd\"}");
}

TEST(Protobuf, TellsMalformedMessagesFromGoodOnes) {
    for (std::string_view bytes :
         {std::string_view("\x0a", 1),
          std::string_view("\x0a\x05"
                           "a",
                           3),
          std::string_view("\xff", 1), std::string_view("\x0b", 1), std::string_view("\x00\x00", 2),
          std::string_view("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 11)})
        EXPECT_TRUE(decoded("core/v1.Pod", bytes).starts_with("error: ")) << hex(bytes);
    EXPECT_FALSE(decoded("core/v1.Pod", "").starts_with("error: "));
}

TEST(Protobuf, BoundsTheDepth) {
    // JSONSchemaProps.not (field 14 or so) holds JSONSchemaProps: the deepest message that a type allows.
    const Type& type = *find_type("apiextensions/v1.JSONSchemaProps");
    const Field* field = type.field("not");
    ASSERT_NE(field, nullptr);
    std::string message;
    for (int depth = 0; depth < 5000; ++depth) {
        std::string outer;
        auto put = [&](std::uint64_t number) {
            for (; number >= 0x80; number >>= 7) outer += static_cast<char>(number | 0x80);
            outer += static_cast<char>(number);
        };
        put(static_cast<std::uint64_t>(field->proto_number) << 3 | 2);
        put(message.size());
        message.insert(0, outer);
    }
    EXPECT_EQ(decoded(type.id, message), "error: the protobuf body is malformed: it is nested too deeply");
}

TEST(Protobuf, EnvelopesNameWhatIsInside) {
    std::string wrapped;
    wrap_message("apps/v1", "Deployment", "inside", wrapped);
    EXPECT_EQ(hex(wrapped.substr(0, 4)), "6b 38 73 00");
    auto envelope = unwrap_message(wrapped);
    ASSERT_TRUE(envelope);
    EXPECT_EQ(envelope->api_version, "apps/v1");
    EXPECT_EQ(envelope->kind, "Deployment");
    EXPECT_EQ(envelope->message, "inside");
    EXPECT_FALSE(unwrap_message("k8s"));
    EXPECT_FALSE(unwrap_message("{}"));
    EXPECT_FALSE(unwrap_message(""));
    EXPECT_TRUE(unwrap_message(std::string_view("k8s\0", 4)));
    for (std::size_t length = 4; length < wrapped.size(); ++length)
        (void)unwrap_message(wrapped.substr(0, length));
}

TEST(Protobuf, WatchEventsWrapAnEnvelope) {
    std::string event = watch_event_message("ADDED", "xyz");
    EXPECT_EQ(hex(event), "0a 05 41 44 44 45 44 12 05 0a 03 78 79 7a");
}

class ProtobufOfEveryType : public ::testing::TestWithParam<const Type*> {};

TEST_P(ProtobufOfEveryType, RoundTrips) {
    const Type& type = *GetParam();
    if (type.proto.empty()) GTEST_SKIP() << "has no protobuf form";
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
        ObjectGenerator generator(seed, {.percent_set = seed % 2 ? 100 : 50, .only_in_protobuf = true});
        Arena arena;
        auto value = conform(type, generator.generate(type, arena), arena);
        ASSERT_TRUE(value) << value.error().message();
        std::string message;
        encode_message(type, *value, message);
        auto back = decode_message(type, message, arena);
        ASSERT_TRUE(back) << back.error().message();
        auto typed = conform(type, *back, arena);
        ASSERT_TRUE(typed) << typed.error().message();
        EXPECT_EQ(to_json(*typed), to_json(*value));
        std::string again;
        encode_message(type, *typed, again);
        EXPECT_EQ(hex(again), hex(message));
    }
}

TEST_P(ProtobufOfEveryType, SurvivesDamage) {
    const Type& type = *GetParam();
    ObjectGenerator generator(7, {.percent_set = 60});
    std::mt19937_64 random(11);
    Arena arena;
    auto value = conform(type, generator.generate(type, arena), arena);
    ASSERT_TRUE(value);
    std::string message;
    encode_message(type, *value, message);
    for (int round = 0; round < 60 && !message.empty(); ++round) {
        std::string damaged = message;
        for (int i = 0; i < 3; ++i) damaged[random() % damaged.size()] = static_cast<char>(random());
        if (round % 3 == 0) damaged.resize(random() % damaged.size());
        Arena scratch;
        auto decoded = decode_message(type, damaged, scratch);
        if (!decoded) continue;
        if (auto typed = conform(type, *decoded, scratch)) (void)canonical(type, *typed, scratch);
    }
}

INSTANTIATE_TEST_SUITE_P(BuiltIn, ProtobufOfEveryType, ::testing::ValuesIn(top_level_types()),
                         [](const auto& info) {
                             std::string name(info.param->id);
                             for (char& c : name)
                                 if (c == '/' || c == '.') c = '_';
                             return name;
                         });

}  // namespace
}  // namespace keelson::object
