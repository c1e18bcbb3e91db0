#include "kernel/control/hashes.h"

#include "kernel/control/go_dump.h"
#include "kernel/object/json.h"
#include "kernel/object/schema.h"

namespace keelson::control {
namespace {

using api_types::core_v1::PodTemplateSpec;
using object::Value;

constexpr std::string_view kAlphabet = "bcdfghjklmnpqrstvwxz2456789";

// FNV of 32 bits in its two variants, http://www.isthe.com/chongo/tech/comp/fnv/.
constexpr std::uint32_t kBasis = 2'166'136'261;
constexpr std::uint32_t kPrime = 16'777'619;

std::uint32_t fnv_1(std::string_view text) {
    std::uint32_t hash = kBasis;
    for (const char character : text) hash = (hash * kPrime) ^ static_cast<unsigned char>(character);
    return hash;
}

std::uint32_t fnv_1a(std::string_view text) {
    std::uint32_t hash = kBasis;
    for (const char character : text) hash = (hash ^ static_cast<unsigned char>(character)) * kPrime;
    return hash;
}

// Go writes JSON so that it can stand in HTML. These characters are in strings only.
std::string escape_for_html(std::string_view json) {
    constexpr std::string_view kLineSeparator = "\xe2\x80\xa8";
    constexpr std::string_view kParagraphSeparator = "\xe2\x80\xa9";
    std::string text;
    text.reserve(json.size());
    while (!json.empty()) {
        std::size_t length = 1;
        if (json[0] == '<') {
            text += "\\u003c";
        } else if (json[0] == '>') {
            text += "\\u003e";
        } else if (json[0] == '&') {
            text += "\\u0026";
        } else if (json.starts_with(kLineSeparator) || json.starts_with(kParagraphSeparator)) {
            text += json.starts_with(kLineSeparator) ? "\\u2028" : "\\u2029";
            length = kLineSeparator.size();
        } else {
            text += json[0];
        }
        json.remove_prefix(length);
    }
    return text;
}

}  // namespace

std::string safe_text(std::uint32_t number) {
    std::string text = std::to_string(number);
    for (char& digit : text) digit = kAlphabet[static_cast<unsigned char>(digit) % kAlphabet.size()];
    return text;
}

std::string template_hash(PodTemplateSpec templ, std::optional<std::int64_t> collision_count) {
    static const object::Type* const type = object::find_type("core/v1.PodTemplateSpec");
    std::string text = go_dump(*type, templ.untyped());
    if (collision_count) {
        // A number of four bytes, lowest first, in a buffer of eight.
        const auto count = static_cast<std::uint32_t>(*collision_count);
        for (unsigned shift = 0; shift < 32; shift += 8) text += static_cast<char>(count >> shift & 0xff);
        text.append(4, '\0');
    }
    return safe_text(fnv_1a(text));
}

std::string revision_hash(Value data, std::int64_t collision_count) {
    object::Arena arena;
    const Value sorted = data.clone(arena);
    sort_deeply(sorted);
    return safe_text(fnv_1(escape_for_html(object::to_json(sorted)) + std::to_string(collision_count)));
}

void sort_deeply(Value value) {
    if (value.is_map()) value.sort_members();
    for (const object::Member& member : value.members()) sort_deeply(member.value);
    for (const Value item : value.items()) sort_deeply(item);
}

}  // namespace keelson::control
