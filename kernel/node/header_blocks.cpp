#include "kernel/node/header_blocks.h"

#include <array>
#include <optional>

namespace keelson::node {
namespace {

using base::Reason;
using base::Result;
using base::Status;

// Huffman codes of one length are consecutive numbers (RFC 7541, appendix B), those of the letters that
// header fields have at most 15 bits long. What is longer is no ASCII.
struct Codes {
    int bits;
    std::uint32_t first;
    std::string_view letters;
};
constexpr std::array<Codes, 10> kCodes{{
    {5, 0x0, "012aceiost"},
    {6, 0x14, " %-./3456789=A_bdfghlmnpru"},
    {7, 0x5c, ":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz"},
    {8, 0xf8, "&*,;XZ"},
    {10, 0x3f8, "!\"()?"},
    {11, 0x7fa, "'+|"},
    {12, 0xffa, "#>"},
    {13, 0x1ff8, std::string_view("\0$@[]~", 6)},
    {14, 0x3ffc, "^}"},
    {15, 0x7ffc, "<`{"},
}};

Status malformed() {
    return {Reason::service_unavailable, "malformed HTTP/2 header block"};
}

std::optional<char> letter_of(std::uint32_t code, int bits) {
    for (const Codes& codes : kCodes)
        if (codes.bits == bits && code >= codes.first && code - codes.first < codes.letters.size())
            return codes.letters[code - codes.first];
    return std::nullopt;
}

Result<std::string> undo_huffman(std::string_view text) {
    std::string result;
    std::uint32_t code = 0;
    int bits = 0;
    for (const char byte : text)
        for (int bit = 7; bit >= 0; --bit) {
            code = code << 1 | ((static_cast<unsigned char>(byte) >> bit) & 1u);
            if (++bits > 15) return malformed();
            if (const auto letter = letter_of(code, bits)) {
                result += *letter;
                code = 0;
                bits = 0;
            }
        }
    // The rest is filled up with ones.
    if (bits > 7 || code != (1u << bits) - 1) return malformed();
    return result;
}

// Takes numbers and strings off the beginning.
class BlockReader {
  public:
    explicit BlockReader(std::string_view block) : rest_(block) {}

    [[nodiscard]] bool is_empty() const { return rest_.empty(); }
    [[nodiscard]] unsigned first() const { return static_cast<unsigned char>(rest_[0]); }

    // An integer whose beginning shares its byte with other bits.
    Result<std::uint64_t> integer(int prefix_bits) {
        const unsigned most = (1u << prefix_bits) - 1;
        if (rest_.empty()) return malformed();
        std::uint64_t number = first() & most;
        rest_.remove_prefix(1);
        if (number < most) return number;
        for (int shift = 0; shift <= 28; shift += 7) {
            if (rest_.empty()) return malformed();
            const unsigned byte = first();
            rest_.remove_prefix(1);
            number += static_cast<std::uint64_t>(byte & 0x7f) << shift;
            if ((byte & 0x80) == 0) return number;
        }
        return malformed();
    }

    Result<std::string> string() {
        if (rest_.empty()) return malformed();
        const bool is_huffman = (first() & 0x80) != 0;
        KEELSON_TRY(const std::uint64_t size, integer(7));
        if (size > rest_.size()) return malformed();
        const std::string_view text = rest_.substr(0, size);
        rest_.remove_prefix(size);
        if (is_huffman) return undo_huffman(text);
        return std::string(text);
    }

  private:
    std::string_view rest_;
};

void append_string(std::string& block, std::string_view text) {
    constexpr std::size_t kMost = 127;
    if (text.size() < kMost) {
        block += static_cast<char>(text.size());
    } else {
        block += static_cast<char>(kMost);
        std::size_t rest = text.size() - kMost;
        for (; rest >= 0x80; rest >>= 7) block += static_cast<char>(0x80 | (rest & 0x7f));
        block += static_cast<char>(rest);
    }
    block += text;
}

}  // namespace

void append_header(std::string& block, std::string_view name, std::string_view value) {
    block += '\0';  // a literal that nobody remembers, with a new name
    append_string(block, name);
    append_string(block, value);
}

Result<std::map<std::string, std::string>> read_headers(std::string_view block) {
    std::map<std::string, std::string> fields;
    BlockReader reader(block);
    while (!reader.is_empty()) {
        const unsigned first = reader.first();
        const bool is_indexed = (first & 0x80) != 0, is_new_size = (first & 0xe0) == 0x20;
        if (is_indexed || is_new_size) {
            KEELSON_TRY([[maybe_unused]] const auto number, reader.integer(is_indexed ? 7 : 5));
            continue;
        }
        KEELSON_TRY(const std::uint64_t index, reader.integer((first & 0x40) != 0 ? 6 : 4));
        std::string name;
        if (index == 0) {
            KEELSON_TRY(name, reader.string());
        }
        KEELSON_TRY(std::string value, reader.string());
        if (!name.empty()) fields[name] = std::move(value);
    }
    return fields;
}

}  // namespace keelson::node
