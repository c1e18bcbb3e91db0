// SPDY frames, good ones and hostile ones.
#include "kernel/api/spdy_frames.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include "kernel/api/spdy_dictionary.h"

namespace keelson::api {
namespace {

std::string number(std::uint32_t value, int size = 4) {
    std::string text;
    for (int index = size - 1; index >= 0; --index) text += static_cast<char>(value >> (8 * index));
    return text;
}

std::string control(std::uint16_t kind, const std::string& payload, std::uint8_t flags = 0) {
    return number(0x8003, 2) + number(kind, 2) + number(flags, 1) +
           number(static_cast<std::uint32_t>(payload.size()), 3) + payload;
}

// Compresses headers as Go's client does: one deflate stream with the dictionary, flushed at each frame.
class Deflater {
  public:
    Deflater() {
        deflateInit(&stream_, Z_BEST_COMPRESSION);
        deflateSetDictionary(&stream_, reinterpret_cast<const Bytef*>(spdy_dictionary().data()),
                             static_cast<uInt>(spdy_dictionary().size()));
    }
    ~Deflater() { deflateEnd(&stream_); }
    std::string add(const std::string& text) {
        std::string out(text.size() + 1024, '\0');
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
        stream_.avail_in = static_cast<uInt>(text.size());
        stream_.next_out = reinterpret_cast<Bytef*>(out.data());
        stream_.avail_out = static_cast<uInt>(out.size());
        deflate(&stream_, Z_SYNC_FLUSH);
        out.resize(out.size() - stream_.avail_out);
        return out;
    }

  private:
    z_stream stream_{};
};

std::string headers(const std::vector<Header>& all) {
    std::string text = number(static_cast<std::uint32_t>(all.size()));
    for (const Header& header : all)
        text += number(static_cast<std::uint32_t>(header.name.size())) + header.name +
                number(static_cast<std::uint32_t>(header.value.size())) + header.value;
    return text;
}

std::string failure_of(const std::string& bytes) {
    SpdyParser parser;
    parser.put(bytes);
    while (parser.next()) {
    }
    return parser.failure();
}

TEST(Spdy, HasTheDictionaryThatEverybodyHas) {
    const std::string& text = spdy_dictionary();
    EXPECT_EQ(text.size(), 1423u);
    EXPECT_EQ(adler32(1, reinterpret_cast<const Bytef*>(text.data()), static_cast<uInt>(text.size())),
              spdy_dictionary_id);
}

TEST(Spdy, ReadsStreamsAsGoOpensThem) {
    Deflater deflater;
    std::string bytes;
    for (const std::uint32_t stream : {1u, 3u})
        bytes += control(1, number(stream) + number(0) + number(0, 2) +
                                deflater.add(headers({{"Streamtype", stream == 1 ? "error" : "data"}})));
    bytes += number(3) + number(1, 1) + number(5, 3) + "hello";
    SpdyParser parser;
    std::vector<SpdyFrame> frames;
    for (const char byte : bytes) {
        parser.put(std::string_view(&byte, 1));
        while (auto frame = parser.next()) frames.push_back(std::move(*frame));
    }
    ASSERT_TRUE(parser.failure().empty());
    ASSERT_EQ(frames.size(), 7u);  // what arrives of a data frame is given out at once
    EXPECT_EQ(frames[0].header("streamType"), "error");
    EXPECT_EQ(frames[1].stream, 3u);
    EXPECT_EQ(frames[1].header("streamtype"), "data");
    EXPECT_EQ(frames[2].data, "h");
    EXPECT_FALSE(frames[2].is_final);
    EXPECT_TRUE(frames[6].is_final);
}

TEST(Spdy, ReadsWhatItWrites) {
    SpdyWriter writer;
    std::string bytes;
    writer.syn_stream(1, {{"streamType", "stdin"}}, bytes);
    writer.syn_reply(1, bytes);
    writer.syn_stream(3, {{"a", "b"}, {"c", ""}}, bytes);
    SpdyWriter::data(1, "data", true, bytes);
    SpdyWriter::reset(3, SpdyWriter::refused_stream, bytes);
    SpdyWriter::ping(7, bytes);
    SpdyWriter::go_away(3, bytes);
    SpdyParser parser;
    parser.put(bytes);
    EXPECT_EQ(parser.next()->header("streamtype"), "stdin");
    EXPECT_EQ(parser.next()->kind, SpdyKind::syn_reply);
    EXPECT_EQ(parser.next()->headers.size(), 2u);
    const auto data = parser.next();
    EXPECT_TRUE(data->is_final);
    EXPECT_EQ(data->data, "data");
    EXPECT_EQ(parser.next()->number, SpdyWriter::refused_stream);
    EXPECT_EQ(parser.next()->number, 7u);
    EXPECT_EQ(parser.next()->kind, SpdyKind::go_away);
    EXPECT_FALSE(parser.next());
    EXPECT_EQ(parser.failure(), "");
}

TEST(Spdy, EndsAnEmptyDataFrameOnce) {
    SpdyParser parser;
    parser.put(number(5) + number(1, 1) + number(0, 3));
    const auto frame = parser.next();
    ASSERT_TRUE(frame);
    EXPECT_TRUE(frame->is_final);
    EXPECT_FALSE(parser.next());
}

TEST(Spdy, PassesOverFramesThatItDoesNotKnow) {
    SpdyParser parser;
    parser.put(control(4, number(0)) + control(9, number(1) + number(100)) + control(77, "whatever") +
               control(6, number(1)));
    EXPECT_EQ(parser.next()->kind, SpdyKind::settings);
    EXPECT_EQ(parser.next()->kind, SpdyKind::window_update);
    EXPECT_EQ(static_cast<int>(parser.next()->kind), 77);
    EXPECT_EQ(parser.next()->kind, SpdyKind::ping);
}

TEST(Spdy, RefusesWhatIsBroken) {
    Deflater deflater;
    const std::string head = number(1) + number(0) + number(0, 2);
    EXPECT_NE(failure_of(number(0x8002, 2) + number(1, 2) + number(0)), "");
    EXPECT_NE(failure_of(control(1, "short")), "");
    EXPECT_NE(failure_of(control(3, number(1))), "");
    EXPECT_NE(failure_of(control(6, "")), "");
    EXPECT_NE(failure_of(control(1, head + "this is not compressed")), "");
    EXPECT_NE(failure_of(control(1, head)), "");
    EXPECT_NE(failure_of(control(1, head + deflater.add(number(3) + number(1) + "a"))), "");
    EXPECT_NE(failure_of(control(1, head + Deflater().add(number(1) + number(0xffffffff) + "a"))), "");
    EXPECT_NE(failure_of(control(1, head + Deflater().add(number(0xffffffff)))), "");
}

TEST(Spdy, RefusesLongControlFramesAndHeadersThatSwell) {
    EXPECT_NE(failure_of(number(0x8003, 2) + number(1, 2) + number(0, 1) +
                         number(SpdyParser::control_limit_bytes + 1, 3)),
              "");
    const std::string large = headers({{"a", std::string(10 << 20, 'x')}});
    const std::string payload = number(1) + number(0) + number(0, 2) + Deflater().add(large);
    EXPECT_NE(failure_of(control(1, payload)), "");
}

}  // namespace
}  // namespace keelson::api
