#include "kernel/object/quantity.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace keelson::object {

namespace {

__extension__ using Wide = __int128;

constexpr Wide kWideMax = ~(Wide{1} << 127);
constexpr std::int32_t kNano = -9;
// Decimal digits that always fit an int64.
constexpr int kSafeDigits = 18;

constexpr bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

Wide power_of_ten(int exponent) {
    Wide result = 1;
    for (int i = 0; i < exponent; ++i) result *= 10;
    return result;
}

// number * 10^exponent, limited to the range of Wide.
Wide scale_up(Wide number, std::int64_t exponent) {
    if (number == 0) return 0;
    const Wide limit = number < 0 ? -kWideMax : kWideMax;
    for (; exponent > 0; --exponent)
        if (__builtin_mul_overflow(number, Wide{10}, &number)) return limit;
    return number;
}

struct Parts {
    bool negative = false;
    bool has_digits = false;  // anything in the number besides a sign and a point
    std::string_view whole;   // without leading zeros
    std::string_view fraction;
    std::string_view suffix;
};

// False when the text does not have the shape of a quantity.
bool split(std::string_view text, Parts& parts) {
    std::size_t position = 0;
    const std::size_t end = text.size();
    if (text[0] == '-' || text[0] == '+') {
        parts.negative = text[0] == '-';
        ++position;
    }
    while (position < end && text[position] == '0') {
        ++position;
        parts.has_digits = true;
    }
    std::size_t start = position;
    while (position < end && is_digit(text[position])) ++position;
    parts.whole = text.substr(start, position - start);
    if (position < end && text[position] == '.') {
        start = ++position;
        while (position < end && is_digit(text[position])) ++position;
        parts.fraction = text.substr(start, position - start);
    }
    parts.has_digits = parts.has_digits || !parts.whole.empty() || !parts.fraction.empty();
    start = position;
    constexpr std::string_view kSuffixLetters = "eEinumkKMGTP";
    while (position < end && kSuffixLetters.find(text[position]) != std::string_view::npos) ++position;
    if (position < end && (text[position] == '-' || text[position] == '+')) ++position;
    while (position < end && is_digit(text[position])) ++position;
    parts.suffix = text.substr(start);
    return position == end;
}

struct Scale {
    Quantity::Format format = Quantity::Format::decimal_si;
    std::int32_t exponent = 0;  // of two for binary_si, else of ten
};

constexpr std::string_view kDecimalLetters = "num kMGTPE";  // from 10^-9 in steps of 10^3
constexpr std::string_view kBinaryLetters = "KMGTPE";

bool interpret(std::string_view suffix, Scale& scale) {
    if (suffix.empty()) return true;
    if (suffix.size() == 1) {
        std::size_t found = suffix[0] == ' ' ? std::string_view::npos : kDecimalLetters.find(suffix[0]);
        if (found == std::string_view::npos) return false;
        scale.exponent = (static_cast<std::int32_t>(found) - 3) * 3;
        return true;
    }
    if (suffix.size() == 2 && suffix[1] == 'i') {
        std::size_t found = kBinaryLetters.find(suffix[0]);
        if (found == std::string_view::npos) return false;
        scale.format = Quantity::Format::binary_si;
        scale.exponent = (static_cast<std::int32_t>(found) + 1) * 10;
        return true;
    }
    if (suffix[0] != 'e' && suffix[0] != 'E') return false;
    std::string_view digits = suffix.substr(1);
    if (digits[0] == '+') digits.remove_prefix(1);
    std::int64_t exponent = 0;
    auto [rest, error] = std::from_chars(digits.data(), digits.data() + digits.size(), exponent);
    if (error != std::errc() || rest != digits.data() + digits.size()) return false;
    scale.format = Quantity::Format::decimal_exponent;
    scale.exponent = static_cast<std::int32_t>(std::clamp<std::int64_t>(exponent, -1'000'000, 1'000'000));
    return true;
}

Wide number_of(std::string_view digits) {
    Wide result = 0;
    for (char digit : digits) result = result * 10 + (digit - '0');
    return result;
}

bool any_nonzero(std::string_view digits) {
    return digits.find_first_not_of('0') != std::string_view::npos;
}

// The amount of whole.fraction * 10^exponent in nanos, rounded up and limited to 2^63-1 units.
Wide decimal_nanos(std::string_view whole, std::string_view fraction, std::int32_t exponent) {
    constexpr Wide kLimit = Wide{INT64_MAX} * 1'000'000'000;
    std::string all(whole);
    all += fraction;
    std::size_t zeros = std::min(all.find_first_not_of('0'), all.size());
    all.erase(0, zeros);
    if (all.empty()) return 0;
    // Digits left of the nano point.
    std::int64_t kept =
        static_cast<std::int64_t>(all.size()) - static_cast<std::int64_t>(fraction.size()) + exponent + 9;
    if (kept > 29) return kLimit;
    if (kept <= 0) return 1;
    std::size_t cut = std::min<std::size_t>(static_cast<std::size_t>(kept), all.size());
    Wide result =
        scale_up(number_of(std::string_view(all).substr(0, cut)), kept - static_cast<std::int64_t>(cut));
    if (any_nonzero(std::string_view(all).substr(cut))) ++result;
    return std::min(result, kLimit);
}

// The same for whole.fraction * 2^exponent, exponent in 0..60.
Wide binary_nanos(std::string_view whole, std::string_view fraction, std::int32_t exponent) {
    constexpr Wide kLimit = Wide{INT64_MAX} * 1'000'000'000;
    if (whole.size() > 19) return kLimit;
    Wide units = number_of(whole) << exponent;
    if (units >= INT64_MAX) return kLimit;
    std::string_view near = fraction.substr(0, 18);
    Wide part = scale_up(number_of(near), 18 - static_cast<std::int64_t>(near.size())) << exponent;
    if (fraction.size() > 18 && any_nonzero(fraction.substr(18))) ++part;
    return std::min(units * 1'000'000'000 + (part + 999'999'999) / 1'000'000'000, kLimit);
}

base::Status parse_error(std::string_view text) {
    return base::Status(base::Reason::bad_request, std::string(text));
}

constexpr std::string_view kFormatWrong =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
constexpr std::string_view kNumericWrong = "unable to parse numeric part of quantity";
constexpr std::string_view kSuffixWrong = "unable to parse quantity's suffix";

}  // namespace

base::Result<Quantity> Quantity::parse(std::string_view text) {
    Parts parts;
    if (text.empty() || !split(text, parts)) return parse_error(kFormatWrong);
    Scale scale;
    if (!interpret(parts.suffix, scale)) return parse_error(kSuffixWrong);

    Quantity result;
    result.format_ = scale.format;
    int count = static_cast<int>(std::min<std::size_t>(std::max<std::size_t>(parts.whole.size(), 1), 1000) +
                                 std::min<std::size_t>(parts.fraction.size(), 1000));
    if (scale.format != Format::binary_si) {
        std::int32_t exponent = scale.exponent - static_cast<std::int32_t>(parts.fraction.size());
        if (count <= kSafeDigits && exponent >= kNano) {
            result.mantissa_ =
                number_of(parts.whole) * power_of_ten(static_cast<int>(parts.fraction.size())) +
                number_of(parts.fraction);
            result.scale_ = exponent;
        } else {
            if (!parts.has_digits) return parse_error(kNumericWrong);
            result.mantissa_ = decimal_nanos(parts.whole, parts.fraction, scale.exponent);
            result.scale_ = kNano;
        }
    } else {
        if (!parts.has_digits && text.find('.') != std::string_view::npos && count > 14)
            return parse_error(kNumericWrong);
        result.mantissa_ = binary_nanos(parts.whole, parts.fraction, scale.exponent);
        result.scale_ = kNano;
        if (result.mantissa_ > 0 && result.mantissa_ < 1'000'000'000) result.format_ = Format::decimal_si;
    }
    if (parts.negative) result.negate();
    return result;
}

Quantity Quantity::from_milli(std::int64_t milli, Format format) {
    Quantity result(milli, format);
    result.scale_ = -3;
    return result;
}

std::string Quantity::digits(Wide number) {
    char buffer[48];
    char* end = buffer + sizeof buffer;
    char* next = end;
    bool negative = number < 0;
    if (negative) number = -number;
    do {
        *--next = static_cast<char>('0' + static_cast<int>(number % 10));
        number /= 10;
    } while (number != 0);
    if (negative) *--next = '-';
    return {next, end};
}

std::string Quantity::to_string() const {
    if (mantissa_ == 0) return "0";
    if (format_ == Format::binary_si && is_integer()) {
        Wide units = nanos() / 1'000'000'000;
        if (units <= -1024 || units >= 1024) {
            std::size_t steps = 0;
            while (units % 1024 == 0 && steps < kBinaryLetters.size()) {
                units /= 1024;
                ++steps;
            }
            std::string text = digits(units);
            if (steps > 0) {
                text += kBinaryLetters[steps - 1];
                text += 'i';
            }
            return text;
        }
    }
    Wide number = mantissa_;
    std::int32_t exponent = scale_;
    while (number % 10 == 0) {
        number /= 10;
        ++exponent;
    }
    while (exponent % 3 != 0 || (format_ != Format::decimal_exponent && exponent > 18)) {
        Wide larger = 0;
        if (__builtin_mul_overflow(number, Wide{10}, &larger)) break;
        number = larger;
        --exponent;
    }
    std::string text = digits(number);
    if (exponent == 0) return text;
    if (format_ == Format::decimal_exponent) {
        text += 'e';
        text += std::to_string(exponent);
        return text;
    }
    text += kDecimalLetters[static_cast<std::size_t>(std::clamp(exponent / 3 + 3, 0, 9))];
    return text;
}

Quantity::Wide Quantity::nanos() const {
    return scale_up(mantissa_, std::int64_t{scale_} - kNano);
}

std::int64_t Quantity::scaled(int scale) const {
    Wide all = nanos();
    Wide divisor = power_of_ten(scale - kNano);
    Wide result = all / divisor;
    if (all % divisor != 0) result += all > 0 ? 1 : -1;
    return static_cast<std::int64_t>(std::clamp(result, Wide{INT64_MIN}, Wide{INT64_MAX}));
}

bool Quantity::is_integer() const {
    return scale_ >= 0 || nanos() % 1'000'000'000 == 0;
}

double Quantity::approximate() const {
    return static_cast<double>(mantissa_) * std::pow(10.0, scale_);
}

void Quantity::add(const Quantity& other) {
    if (is_zero()) {
        *this = other;
        return;
    }
    if (other.is_zero()) return;
    Wide left = nanos();
    Wide right = other.nanos();
    if (__builtin_add_overflow(left, right, &mantissa_)) mantissa_ = left < 0 ? -kWideMax : kWideMax;
    scale_ = kNano;
}

void Quantity::subtract(const Quantity& other) {
    Quantity negative = other;
    negative.negate();
    add(negative);
}

std::strong_ordering Quantity::compare(const Quantity& other) const {
    if (scale_ == other.scale_) return mantissa_ <=> other.mantissa_;
    return nanos() <=> other.nanos();
}

}  // namespace keelson::object
